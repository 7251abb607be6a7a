/* zoo_dlrm.c - the recommendation model DLRM for the Criteo Kaggle data: 13 numbers go through a perceptron,
 * 26 categories through a table each; the products of every two of the 27 vectors go, with the first vector,
 * through a second perceptron.
 *
 *     [batch, 27, 16] times its transpose -> [batch, 27, 27] -> [batch, 351], what is below the diagonal
 */
#include "format/zoo.h"

enum { TABLES = 26, SIZE = 16, VECTORS = TABLES + 1, PAIRS = VECTORS * (VECTORS - 1) / 2 };

static const int64_t bottom[] = {13, 512, 256, 64, SIZE};
static const int64_t top[] = {SIZE + PAIRS, 512, 256, 1};

/* Categories of each column, as the preprocessing of the seven days of Kaggle's data counts them. */
static const int64_t rows[TABLES] = {
    1460, 583,  10131227, 2202608, 305, 24,   12517, 633, 3,       93145, 5683, 8351593, 3194,
    27,   14992, 5461306, 10,      5652, 2173, 4,    7046547, 18,  15,    286181, 105,   142572,
};

/* Linear layers SCOPE.0, SCOPE.2, ... with an activation behind each: the last one's may be another. */
static rg_value_id perceptron(rg_build *b, const char *scope, rg_value_id x, const int64_t *sizes, int count,
                              const char *last)
{
    for (int i = 0; i + 1 < count; i++) {
        rg_zoo_scope(b, "%s.%d", scope, 2 * i);
        x = rg_zoo_linear(b, x, sizes[i], sizes[i + 1]);
        rg_zoo_scope(b, "%s.%d", scope, 2 * i + 1);
        x = rg_build_node(b, i + 2 < count ? "Relu" : last, NULL, x, -1);
    }
    return x;
}

/* x [batch, SIZE], categories [batch, TABLES] -> [batch, VECTORS, SIZE]. */
static rg_value_id gather(rg_build *b, rg_value_id x, rg_value_id categories)
{
    rg_value_id columns[TABLES], vectors[VECTORS], all;
    rg_zoo_scope(b, "emb_l");
    rg_build_nodev(b, "Split", "axis=1 num_outputs=26", 1, &categories, TABLES, columns);
    vectors[0] = rg_build_node(b, "Unsqueeze", NULL, x, rg_build_ints(b, 1, (const int64_t[]){1}), -1);
    for (int i = 0; i < TABLES; i++) {
        rg_zoo_scope(b, "emb_l.%d", i);
        vectors[1 + i] = rg_zoo_embedding(b, columns[i], rows[i], SIZE);
    }
    rg_zoo_scope(b, "interact");
    return rg_build_nodev(b, "Concat", "axis=1", VECTORS, vectors, 1, &all);
}

/* x [batch, SIZE], vectors [batch, VECTORS, SIZE] -> [batch, SIZE + PAIRS]. */
static rg_value_id interact(rg_build *b, rg_value_id x, rg_value_id vectors)
{
    int64_t places[PAIRS];
    int count = 0;
    for (int i = 0; i < VECTORS; i++)
        for (int k = 0; k < i; k++) places[count++] = i * VECTORS + k;
    rg_value_id turned = rg_build_node(b, "Transpose", "perm=0,2,1", vectors, -1);
    rg_value_id products = rg_build_node(b, "MatMul", NULL, vectors, turned, -1);
    products = rg_zoo_reshape(b, products, 2, (const int64_t[]){0, VECTORS * VECTORS});
    products = rg_build_node(b, "Gather", "axis=1", products, rg_build_ints(b, PAIRS, places), -1);
    return rg_build_node(b, "Concat", "axis=1", x, products, -1);
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    rg_build b;
    RG_TRY(rg_build_init(&b, cx, self->name));
    rg_dim batch = rg_build_dim(&b, "batch", 1);
    rg_value_id x = rg_build_input(&b, "dense", RG_F32, 2, (const rg_dim[]){batch, bottom[0]});
    rg_value_id categories = rg_build_input(&b, "categories", RG_I64, 2, (const rg_dim[]){batch, TABLES});
    x = perceptron(&b, "bot_l", x, bottom, RG_COUNT(bottom), "Relu");
    x = interact(&b, x, gather(&b, x, categories));
    rg_build_output(&b, "probability", perceptron(&b, "top_l", x, top, RG_COUNT(top), "Sigmoid"));
    return rg_build_done(&b, out);
}

RG_ZOO(dlrm) = {
    .name = "dlrm", .family = "mlp", .build = build,
    .source = "Naumov et al. 2019, arXiv:1906.00091; sizes: facebookresearch/dlrm, "
              "bench/dlrm_s_criteo_kaggle.sh, one index a table; figures by its layer table",
    .parameters = 540677217, .macs = 486032,
};
