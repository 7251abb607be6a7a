/* detect_topology.c - cores, threads and caches as hwloc sees them, less what this process is not bound to.
 *
 * hwloc leaves out processors that a control group forbids; an affinity mask (taskset, a batch system) is
 * applied here. Hybrid processors have several kinds of cores,
 * which hwloc ranks by performance, slowest first.
 */
#include "hw/detect.h"

#include <hwloc.h>
#include <string.h>

/* Objects of a type that the process may use, and how many cores each of them has on average. */
static double count_bound(hwloc_topology_t topology, hwloc_obj_type_t type, hwloc_const_cpuset_t bound)
{
    double count = 0;
    for (hwloc_obj_t o = NULL; (o = hwloc_get_next_obj_by_type(topology, type, o));)
        count += hwloc_bitmap_intersects(o->cpuset, bound);
    return count;
}

static double least_1(double x) { return x < 1 ? 1 : x; }

/* Some virtual machines show threads without cores: then each is one. */
static hwloc_obj_type_t core_type(hwloc_topology_t topology)
{
    return hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_CORE) > 0 ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
}

/* Where one thread for each core would run. */
static void first_of_each(hwloc_topology_t topology, hwloc_const_cpuset_t cpus, cpu_set_t *out)
{
    hwloc_bitmap_t both = hwloc_bitmap_alloc();
    CPU_ZERO(out);
    for (hwloc_obj_t o = NULL; both && (o = hwloc_get_next_obj_by_type(topology, core_type(topology), o));) {
        hwloc_bitmap_and(both, o->cpuset, cpus);
        int first = hwloc_bitmap_first(both);
        if (first >= 0 && first < CPU_SETSIZE) CPU_SET((size_t)first, out);
    }
    hwloc_bitmap_free(both);
}

static void add_kind(rg_topology *out, hwloc_topology_t topology, hwloc_const_cpuset_t cpus, const char *type)
{
    double cores = count_bound(topology, core_type(topology), cpus);
    if (cores == 0 || out->kind_count == RG_CORE_KIND_MAX) return;
    rg_core_kind *kind = &out->kinds[out->kind_count++];
    kind->cores = cores;
    kind->threads = (int)(count_bound(topology, HWLOC_OBJ_PU, cpus) / cores);
    kind->first_cpu = hwloc_bitmap_first(cpus);
    first_of_each(topology, cpus, &kind->cpus);
    snprintf(kind->type, sizeof kind->type, "%s", type ? type : "");
}

static const char *type_info(unsigned count, const struct hwloc_info_s *infos)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(infos[i].name, "CoreType") == 0) return infos[i].value;
    return NULL;
}

static void read_kinds(rg_topology *out, hwloc_topology_t topology, hwloc_const_cpuset_t bound)
{
    hwloc_bitmap_t cpus = hwloc_bitmap_alloc();
    int count = cpus ? hwloc_cpukinds_get_nr(topology, 0) : 0;
    for (int i = count - 1; i >= 0; i--) { /* fastest first */
        unsigned info_count = 0;
        struct hwloc_info_s *infos = NULL;
        int efficiency;
        if (hwloc_cpukinds_get_info(topology, (unsigned)i, cpus, &efficiency, &info_count, &infos, 0))
            continue;
        /* kinds that it cannot rank differ in a favored core's clock only: one kind */
        if (efficiency < 0) break;
        hwloc_bitmap_and(cpus, cpus, bound);
        add_kind(out, topology, cpus, type_info(info_count, infos));
    }
    if (!out->kind_count) add_kind(out, topology, bound, NULL);
    hwloc_bitmap_free(cpus);
}

static void read_caches(rg_topology *out, hwloc_topology_t topology, hwloc_const_cpuset_t bound)
{
    static const hwloc_obj_type_t types[] = {HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L3CACHE,
                                             HWLOC_OBJ_L4CACHE};
    for (size_t i = 0; i < RG_COUNT(types); i++) {
        hwloc_obj_t first = hwloc_get_next_obj_by_type(topology, types[i], NULL);
        double count = count_bound(topology, types[i], bound);
        if (!first || count == 0 || !first->attr->cache.size) continue;
        out->caches[out->cache_count++] = (rg_cache){
            (int)i + 1, count, least_1(out->cores / count), (double)first->attr->cache.size,
        };
    }
}

static rg_err read_loaded(rg_ctx *cx, hwloc_topology_t topology, rg_topology *out)
{
    hwloc_bitmap_t bound = hwloc_bitmap_dup(hwloc_topology_get_allowed_cpuset(topology));
    hwloc_bitmap_t asked = hwloc_bitmap_alloc();
    if (!bound || !asked) {
        hwloc_bitmap_free(bound);
        hwloc_bitmap_free(asked);
        return rg_nomem(cx);
    }
    if (!hwloc_get_cpubind(topology, asked, HWLOC_CPUBIND_PROCESS) && hwloc_bitmap_intersects(asked, bound))
        hwloc_bitmap_and(bound, bound, asked);
    out->cores = least_1(count_bound(topology, core_type(topology), bound));
    out->threads = least_1(count_bound(topology, HWLOC_OBJ_PU, bound));
    out->packages = least_1(count_bound(topology, HWLOC_OBJ_PACKAGE, bound));
    out->numa_nodes = least_1(hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE));
    read_kinds(out, topology, bound);
    read_caches(out, topology, bound);
    hwloc_bitmap_free(bound);
    hwloc_bitmap_free(asked);
    if (out->kind_count) return RG_OK;
    return rg_fail(cx, RG_FAILED, "hwloc shows no processor that this process may run on");
}

/* Without /sys, as in a bare chroot, hwloc's Linux part prints a complaint and gives up;
 * its others do without. */
static bool linux_shows_cores(void)
{
    return rg_path_is_dir("/sys/devices/system/cpu/cpu0/topology") ||
           rg_path_is_dir("/sys/bus/cpu/devices/cpu0/topology");
}

rg_err rg_topology_read(rg_ctx *cx, rg_topology *out)
{
    hwloc_topology_t topology;
    *out = (rg_topology){0};
    if (hwloc_topology_init(&topology)) return rg_nomem(cx);
    if (!linux_shows_cores())
        hwloc_topology_set_components(topology, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, "linux");
    rg_err err = hwloc_topology_load(topology)
        ? rg_fail(cx, RG_FAILED, "hwloc could not read this machine's topology")
        : read_loaded(cx, topology, out);
    hwloc_topology_destroy(topology);
    return err;
}
