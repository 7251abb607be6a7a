/* vision_models.h - which model of the zoo a classifier of a table of measurements is. */
#ifndef RG_VISION_MODELS_H
#define RG_VISION_MODELS_H

#include "base/base.h"

/* By its name in timm, torchvision or a collection, at an image of side x side; side 0 or less: not told.
 * NULL: the zoo has none. */
const char *rg_vision_model(rg_str name, int64_t side);

#endif
