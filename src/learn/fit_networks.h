/* fit_networks.h - which networks to time on a machine that is to be fitted with whole inferences. */
#ifndef RG_FIT_NETWORKS_H
#define RG_FIT_NETWORKS_H

#include "hw/hw.h"

enum { RG_NETWORK_PROBES = 10 };

typedef struct rg_network_probe { const char *model; int batch; double latency_s; } rg_network_probe;

/* out[RG_NETWORK_PROBES]; fewer where few fit. runtime, precision: as in rg_fit_opt. */
rg_err rg_fit_networks(rg_ctx *cx, const rg_device *device, const char *runtime, const char *precision,
                       rg_network_probe *out, size_t *count) RG_CHECKED;

#endif
