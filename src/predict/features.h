/* features.h - what a learned residual sees of a row, or of a whole forecast: numbers without units and
 * without names, so that what was learned on one machine says something about another. A file of trees names
 * the features that it was made with; to add one, add a row to a table of features.c.
 */
#ifndef RG_FEATURES_H
#define RG_FEATURES_H

#include "predict/predict.h"

/* Rows and whole forecasts are described by different tables. */
typedef enum rg_features_of { RG_OF_ROW, RG_OF_WHOLE } rg_features_of;

size_t rg_feature_count(rg_features_of scope);
const char *rg_feature_name(rg_features_of scope, size_t index);
const char *rg_feature_help(rg_features_of scope, size_t index);
/* All of them, out[rg_feature_count(scope)]. f as the analytic base has it, at its clock. */
void rg_feature_row(const rg_forecast *f, uint32_t row, float *out);
void rg_feature_whole(const rg_forecast *f, float *out);
/* Of a row's: log2 of the time that the host takes to issue it against the device's; -30: none runs ahead. */
double rg_feature_issue(const float *row);

#endif
