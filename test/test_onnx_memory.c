/* test_onnx_memory.c - what a large model may cost in memory: bytes for each node, while it is read and while
 * it is copied. The budgets are what the tables need, by the sizes of their rows, and a quarter more.
 */
#include "format/onnx.h"

#include "onnx_bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { NODE_COUNT = 20000, NODE_TEXT_MAX = 128 };

/* The context's allocator: every block has its size in front. */
typedef struct meter { size_t live, most; } meter;

enum { HEAD_BYTE = 16 };

static void *take(void *user, size_t size)
{
    meter *m = user;
    char *block = calloc(1, HEAD_BYTE + size);
    if (!block) return NULL;
    memcpy(block, &size, sizeof size);
    m->live += size;
    if (m->live > m->most) m->most = m->live;
    return block + HEAD_BYTE;
}

static void give(void *user, void *block)
{
    meter *m = user;
    size_t size;
    if (!block) return;
    memcpy(&size, (char *)block - HEAD_BYTE, sizeof size);
    m->live -= size;
    free((char *)block - HEAD_BYTE);
}

/* x -> Add(., x) -> Add(., x) -> ... */
static size_t put_chain(uint8_t *to)
{
    uint8_t *at = to;
    char in[32] = "x", out[32], name[32];
    for (int i = 0; i < NODE_COUNT; i++) {
        ob node = {0}, field = {0};
        snprintf(out, sizeof out, "/block.%d/output", i);
        snprintf(name, sizeof name, "/block.%d/Add", i);
        ob_str(&node, 1, in);
        ob_str(&node, 1, "x");
        ob_str(&node, 2, out);
        ob_str(&node, 3, name);
        ob_str(&node, 4, "Add");
        ob_put(&field, 1, &node);
        assert_true(field.size <= NODE_TEXT_MAX);
        memcpy(at, field.data, field.size);
        at += field.size;
        memcpy(in, out, sizeof in);
    }
    ob ends = {0};
    ob_value(&ends, OB_INPUT, "x", RG_F32, "2");
    ob_value(&ends, OB_OUTPUT, in, RG_F32, "2");
    memcpy(at, ends.data, ends.size);
    return (size_t)(at - to) + ends.size;
}

/* The model, in memory of the caller. */
static rg_str chain(void)
{
    uint8_t *graph = malloc((size_t)NODE_COUNT * NODE_TEXT_MAX);
    uint8_t *model = malloc((size_t)NODE_COUNT * NODE_TEXT_MAX);
    assert_true(graph && model);
    ob head = {0};
    size_t size = put_chain(graph);
    ob_int(&head, 1, 8);
    ob_opset(&head, OB_MODEL_OPSET, "", 17);
    ob_varint(&head, OB_MODEL_GRAPH << 3 | 2);
    ob_varint(&head, size);
    memcpy(model, head.data, head.size);
    memcpy(model + head.size, graph, size);
    free(graph);
    return (rg_str){(const char *)model, head.size + size};
}

static void test_bytes_for_each_node(void **state)
{
    (void)state;
    enum {
        ROWS = sizeof(rg_value) + sizeof(rg_node) + 4 * sizeof(rg_value_id), /* output, node, ids, place */
#ifdef RG_DEBUG
        WHILE_READING = 256, /* the verifier's tables, and what is below */
#else
        WHILE_READING = 2 * 2 * 2 * sizeof(void *), /* slots of names: two words, half full, powers of 2 */
#endif
        SPARE_BYTE = 2 << 20, /* the last blocks of the tables and of the scratch, a megabyte each at most */
    };
    meter m = {0};
    rg_str bytes = chain();
    rg_ctx_opt opt = {.size = sizeof opt, .alloc = take, .free = give, .user = &m};
    rg_ctx *cx = rg_ctx_new(&opt);
    rg_graph *file, *copy;
    assert_int_equal(rg_onnx_parse(cx, bytes, NULL, &file), RG_OK);
    assert_int_equal(file->node_count, NODE_COUNT + 1);
    assert_in_range(m.most, NODE_COUNT * ROWS, NODE_COUNT * (ROWS + WHILE_READING) / 4 * 5 + SPARE_BYTE);
    assert_in_range(m.live, NODE_COUNT * ROWS, NODE_COUNT * ROWS / 4 * 5 + SPARE_BYTE);
    assert_int_equal(rg_graph_clone(cx, file, &copy), RG_OK);
    rg_graph_free(file); /* the copy keeps what it shares, not the tables */
    assert_in_range(m.live, NODE_COUNT * ROWS, NODE_COUNT * ROWS / 4 * 5 + SPARE_BYTE);
    assert_true(rg_str_is(copy->nodes[NODE_COUNT].type, "Add"));
    rg_graph_free(copy);
    rg_ctx_free(cx);
    assert_int_equal(m.live, 0);
    free((void *)(uintptr_t)bytes.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bytes_for_each_node)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
