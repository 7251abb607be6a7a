/* op.c - looking up an operator by name, and the names of the kernel families.
 *
 * The generated table is sorted by identifier, not by name, and the library keeps no mutable state to sort it
 * once. A pass over some 250 names costs less than a microsecond; whoever asks for every node remembers the
 * answer (resolve.c).
 */
#include "op/op.h"

static const char *const family_names[] = {
#define X(id, name, words) name,
    RG_FAMILY_LIST(X)
#undef X
};

const char *rg_family_name(rg_family family)
{
    return (unsigned)family < RG_COUNT(family_names) ? family_names[family] : "?";
}

/* "" and "ai.onnx" are two spellings of the default domain. */
static bool domain_is(const rg_op *op, rg_str domain)
{
    bool is_default = domain.size == 0 || rg_str_is(domain, "ai.onnx");
    return op->domain ? rg_str_is(domain, op->domain) : is_default;
}

const rg_op *rg_op_find(rg_str domain, rg_str name)
{
    for (int i = 0; i < rg_op_count; i++)
        if (rg_str_is(name, rg_op_table[i]->name) && domain_is(rg_op_table[i], domain))
            return rg_op_table[i];
    return NULL;
}
