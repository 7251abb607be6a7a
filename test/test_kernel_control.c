/* test_kernel_control.c - bodies at run time: values carried, scanned and stacked, loops without a trip count
 * and without a trip, states whose shape changes, sequences as states, names from around the body.
 */
#include "kernel_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define GRAPH "ridge.graph/1 \"g\" opset 20\n"

static const kernel_case loop[] = {
    /* Fibonacci's numbers */
    {"Loop", NULL,
     GRAPH "const %m = i64[] {10}\nconst %zero = i64[] {0}\nconst %one = i64[] {1}\n"
     "graph () {\n"
     "  %x, %y, %all = Loop(%m, _, %zero, %one) body=graph (%i: i64[], %go: bool[], %a: i64[], %b: i64[]) {\n"
     "    %sum = Add(%a, %b)\n"
     "    return %go, %b, %sum, %a\n"
     "  }\n"
     "  return %x, %y, %all\n"
     "}\n",
     "i64[]=55 i64[]=89 i64[10]=0,1,1,2,3,5,8,13,21,34", RG_OK},
    /* until the condition fails */
    {"Loop", NULL,
     GRAPH "const %two = f32[] {2}\nconst %most = f32[] {100}\n"
     "graph () {\n"
     "  %x, %all = Loop(_, _, %two) body=graph (%i: i64[], %go: bool[], %v: f32[]) {\n"
     "    %n = Mul(%v, %two)\n"
     "    %less = Less(%n, %most)\n"
     "    return %less, %n, %n\n"
     "  }\n"
     "  return %x, %all\n"
     "}\n",
     "f32[]=128 f32[6]=4,8,16,32,64,128", RG_OK},
    /* no trip: the state is as it was, the stack is empty */
    {"Loop", NULL,
     GRAPH "const %m = i64[] {5}\nconst %f = bool[] {0}\nconst %v0 = f32[2] {1, 2}\n"
     "graph () {\n"
     "  %x, %all = Loop(%m, %f, %v0) body=graph (%i: i64[], %go: bool[], %v: f32[2]) {\n"
     "    %n = Add(%v, %v)\n"
     "    return %go, %n, %n\n"
     "  }\n"
     "  return %x, %all\n"
     "}\n",
     "f32[2]=1,2 f32[0,2]=", RG_OK},
    /* a state that grows */
    {"Loop", NULL,
     GRAPH "const %m = i64[] {3}\nconst %v0 = i64[1] {7}\nconst %flat = i64[1] {-1}\n"
     "graph () {\n"
     "  %x = Loop(%m, _, %v0) body=graph (%i: i64[], %go: bool[], %v: ?) {\n"
     "    %one = Reshape(%i, %flat)\n"
     "    %n = Concat(%v, %one) axis=0\n"
     "    return %go, %n\n"
     "  }\n"
     "  return %x\n"
     "}\n",
     "i64[4]=7,0,1,2", RG_OK},
    /* what is stacked must be of one shape */
    {"Loop", NULL,
     GRAPH "const %m = i64[] {3}\nconst %v0 = i64[1] {7}\n"
     "graph () {\n"
     "  %x, %all = Loop(%m, _, %v0) body=graph (%i: i64[], %go: bool[], %v: ?) {\n"
     "    %n = Concat(%v, %v) axis=0\n"
     "    return %go, %n, %n\n"
     "  }\n"
     "  return %x, %all\n"
     "}\n",
     "i64[8] i64[3]", RG_SHAPE},
    /* a loop in a loop, as often as the outer one says: 0 + 1 + 2 + 3 times one more */
    {"Loop", NULL,
     GRAPH "const %m = i64[] {4}\nconst %zero = i64[] {0}\nconst %one = i64[] {1}\n"
     "graph () {\n"
     "  %x = Loop(%m, _, %zero) body=graph (%i: i64[], %go: bool[], %v: i64[]) {\n"
     "    %n = Loop(%i, _, %v) body=graph (%k: i64[], %on: bool[], %w: i64[]) {\n"
     "      %more = Add(%w, %one)\n"
     "      return %on, %more\n"
     "    }\n"
     "    return %go, %n\n"
     "  }\n"
     "  return %x\n"
     "}\n",
     "i64[]=6", RG_OK},
    /* a branch gives a value from outside, and one of its own */
    {"If", NULL,
     GRAPH "const %c = bool[] {1}\nconst %a = f32[2] {1, 2}\n"
     "graph () {\n"
     "  %x, %y = If(%c) else_branch=graph () { return %a, %a } then_branch=graph () {\n"
     "    %b = Add(%a, %a)\n"
     "    return %a, %b\n"
     "  }\n"
     "  return %x, %y\n"
     "}\n",
     "f32[2]=1,2 f32[2]=2,4", RG_OK},
};

static const kernel_case scan[] = {
    /* sums from the end, stacked from the end */
    {"Scan", NULL,
     GRAPH "const %s = f32[] {0}\nconst %x = f32[3] {1, 2, 3}\n"
     "graph () {\n"
     "  %last, %all = Scan(%s, %x) body=graph (%a: f32[], %b: f32[]) {\n"
     "    %sum = Add(%a, %b)\n"
     "    return %sum, %sum\n"
     "  } num_scan_inputs=1 scan_input_directions=[1] scan_output_directions=[1]\n"
     "  return %last, %all\n"
     "}\n",
     "f32[]=6 f32[3]=6,5,3", RG_OK},
    /* columns in, columns out: the negative of the transpose's transpose */
    {"Scan", NULL,
     GRAPH "const %x = i32[2,3] {1, 2, 3, 4, 5, 6}\n"
     "graph () {\n"
     "  %all, %turned = Scan(%x) body=graph (%b: i32[2]) {\n"
     "    %n = Neg(%b)\n"
     "    return %n, %b\n"
     "  } num_scan_inputs=1 scan_input_axes=[-1] scan_output_axes=1,0\n"
     "  return %all, %turned\n"
     "}\n",
     "i32[2,3]=-1,-2,-3,-4,-5,-6 i32[3,2]=1,4,2,5,3,6", RG_OK},
    /* nothing to scan */
    {"Scan", NULL,
     GRAPH "const %s = f32[] {4}\nconst %x = f32[0,2] {}\n"
     "graph () {\n"
     "  %last, %all = Scan(%s, %x) body=graph (%a: f32[], %b: f32[2]) {\n"
     "    %c = Add(%a, %a)\n"
     "    return %c, %b\n"
     "  } num_scan_inputs=1\n"
     "  return %last, %all\n"
     "}\n",
     "f32[]=4 f32[0,2]=", RG_OK},
};

static const kernel_case sequence[] = {
    {"SequenceAt", NULL,
     GRAPH
     "const %a = i32[1] {1}\nconst %b = i32[2] {2, 3}\nconst %c = i32[1] {4}\nconst %back = i64[] {-2}\n"
     "const %end = i64[] {3}\n"
     "graph () {\n"
     "  %s = SequenceConstruct(%a, %b, %c)\n"
     "  %at = SequenceAt(%s, %back)\n"
     "  %less = SequenceErase(%s, %back)\n"
     "  %n = SequenceLength(%less)\n"
     "  %stacked = ConcatFromSequence(%less) axis=-1 new_axis=1\n"
     "  %more = SequenceInsert(%s, %b, %end)\n"
     "  %joined = ConcatFromSequence(%more) axis=0\n"
     "  return %at, %n, %stacked, %joined\n"
     "}\n",
     "i32[2]=2,3 i64[]=2 i32[1,2]=1,4 i32[6]=1,2,3,4,2,3", RG_OK},
    {"SequenceAt", NULL,
     GRAPH "const %a = i32[1] {1}\nconst %at = i64[] {1}\n"
           "graph () {\n"
           "  %s = SequenceConstruct(%a)\n"
           "  %x = SequenceAt(%s, %at)\n"
           "  return %x\n"
           "}\n",
     "i32[1]", RG_SHAPE},
    /* the last part is smaller */
    {"SplitToSequence", NULL,
     GRAPH "const %x = i32[5] {1, 2, 3, 4, 5}\nconst %two = i64[] {2}\nconst %last = i64[] {-1}\n"
           "graph () {\n"
           "  %s = SplitToSequence(%x, %two)\n"
           "  %n = SequenceLength(%s)\n"
           "  %y = SequenceAt(%s, %last)\n"
           "  return %n, %y\n"
           "}\n",
     "i64[]=3 i32[1]=5", RG_OK},
    /* a list as the state of a loop, and a body over its elements */
    {"SequenceMap", NULL,
     GRAPH "const %m = i64[] {3}\nconst %flat = i64[1] {1}\nconst %ten = i64[1] {10}\n"
           "graph () {\n"
           "  %none = SequenceEmpty() dtype=7\n"
           "  %s = Loop(%m, _, %none) body=graph (%i: i64[], %go: bool[], %list: seq(i64[*])) {\n"
           "    %one = Expand(%i, %flat)\n"
           "    %next = SequenceInsert(%list, %one)\n"
           "    return %go, %next\n"
           "  }\n"
           "  %t = SequenceMap(%s, %ten) body=graph (%a: i64[1], %b: i64[1]) { %c = Add(%a, %b) return %c }\n"
           "  %y = ConcatFromSequence(%t) axis=0\n"
           "  return %y\n"
           "}\n",
     "i64[3]=10,11,12", RG_OK},
};

#define TEST(list) \
    static void test_##list(void **state) \
    { \
        (void)state; \
        assert_int_equal(kernel_cases_wrong(list, RG_COUNT(list)), 0); \
    }
TEST(loop)
TEST(scan)
TEST(sequence)

/* ---- memory that runs out ---- */

/* The allocator: answers NULL from the allocation on whose turn it is. */
typedef struct meter { long given, returned, refuse_at; } meter;

static void *metered_alloc(void *user, size_t size)
{
    meter *m = user;
    if (m->given + 1 >= m->refuse_at) return NULL;
    void *block = calloc(1, size);
    if (block) m->given++;
    return block;
}

static void metered_free(void *user, void *block)
{
    meter *m = user;
    m->returned += block != NULL;
    free(block);
}

/* At the n-th allocation, for every n until the case succeeds: the answer is RG_NOMEM, and all comes back. */
static void run_out(const kernel_case *k)
{
    enum { ROUNDS_MAX = 10000 };
    rg_err err = RG_NOMEM;
    for (long n = 1; n < ROUNDS_MAX && err; n++) {
        meter m = {.refuse_at = n + 1};
        char text[512];
        rg_ctx *cx = rg_ctx_new(&(rg_ctx_opt){
            .size = sizeof(rg_ctx_opt), .alloc = metered_alloc, .free = metered_free, .user = &m});
        if (!cx) continue;
        err = kernel_case_run(cx, k, text, sizeof text);
        rg_ctx_free(cx);
        assert_int_equal(m.given, m.returned);
        if (err && err != RG_NOMEM) fail_msg("%s, allocation %ld: %s", k->op, n, text);
    }
    assert_int_equal(err, RG_OK);
}

static void test_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < RG_COUNT(loop); i++)
        if (!loop[i].err) run_out(&loop[i]);
    run_out(&scan[0]);
    for (size_t i = 0; i < RG_COUNT(sequence); i++)
        if (!sequence[i].err) run_out(&sequence[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loop), cmocka_unit_test(test_scan), cmocka_unit_test(test_sequence),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
