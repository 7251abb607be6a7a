/* zoo_tnt.c - TNT as timm has it (Han et al. 2021): a transformer inside of a transformer. Each patch is a
 * sequence of 4 x 4 pixels, which attend to each other; what became of them is added to the patch, and
 * patches attend to each other.
 */
#include "format/zoo.h"

enum {
    IMAGE_SIDE = 224, ACROSS = 14, PATCHES = ACROSS * ACROSS, CUT = 4, PIXELS = CUT * CUT, LAYERS = 12,
    PIXEL_HEADS = 4, HEAD = 64,
};

typedef struct tnt { int64_t width, pixel; } tnt;

/* Queries and keys of one layer, values of another; timm multiplies them one by one. */
static void attend(rg_net *n, const char *block, const char *name, int64_t heads)
{
    rg_build *b = &n->b;
    char scope[40];
    int64_t width = n->channels, head = width / heads;
    rg_value_id from = n->x, x;
    snprintf(scope, sizeof scope, "%s.%s", block, name);
    rg_net_dense(n, scope, "qk", 2 * width, false);
    x = rg_zoo_reshape(b, n->x, 5, (const int64_t[]){0, 0, 2, heads, head});
    x = rg_build_node(b, "Transpose", "perm=2,0,3,4,1", x, -1);
    rg_value_id q = rg_build_node(b, "Gather", "axis=0", x, rg_zoo_int(b, 0), -1);
    rg_value_id k = rg_build_node(b, "Gather", "axis=0", x, rg_zoo_int(b, 1), -1);
    q = rg_build_node(b, "Transpose", "perm=0,1,3,2", q, -1);
    n->x = from, n->channels = width;
    rg_net_dense(n, scope, "v", width, false);
    rg_value_id v = rg_zoo_split_heads(b, n->x, heads, head, false);
    n->x = rg_zoo_attend(b, q, k, v, 0, heads, head, 0);
    rg_net_dense(n, scope, "proj", width, true);
}

/* Attention and the two layers behind it, of pixels or of patches. */
static void encode(rg_net *n, const char *block, bool pixels, int64_t heads)
{
    int64_t width = n->channels;
    rg_value_id before = n->x;
    rg_net_layer_norm(n, block, pixels ? "norm_in" : "norm_out", 1e-5);
    attend(n, block, pixels ? "attn_in" : "attn_out", heads);
    rg_net_add_scaled(n, block, NULL, false, before);
    before = n->x;
    rg_net_layer_norm(n, block, pixels ? "norm_mlp_in" : "norm_mlp", 1e-5);
    n->x = rg_zoo_feed_forward(&n->b, n->x, block, pixels ? "mlp_in.fc1" : "mlp.fc1",
                               pixels ? "mlp_in.fc2" : "mlp.fc2", width, 4 * width, "Gelu");
    rg_net_add_scaled(n, block, NULL, false, before);
}

/* Pixels [batch * patches, pixels, channels] -> [batch, patches, width], by the linear layer BLOCK.proj. */
static rg_value_id gather(rg_net *n, const char *block, int64_t width)
{
    rg_net patch = *n;
    patch.x = rg_zoo_reshape(&n->b, n->x, 3, (const int64_t[]){-1, PATCHES, PIXELS * n->channels});
    patch.channels = PIXELS * n->channels;
    rg_net_dense(&patch, block, "proj", width, true);
    n->b = patch.b;
    return patch.x;
}

/* The image -> pixels [batch * patches, pixels, channels]. */
static void embed(rg_net *n, const tnt *t)
{
    rg_build *b = &n->b;
    int64_t c = t->pixel;
    rg_zoo_scope(b, "pixel_embed.proj");
    rg_net_conv(n, (rg_conv){c, .kernel = 7, .stride = 4, .bias = true});
    n->x = rg_zoo_reshape(b, n->x, 6, (const int64_t[]){0, c, ACROSS, CUT, ACROSS, CUT});
    rg_net_turn(n, "perm=0,2,4,1,3,5");
    n->x = rg_zoo_reshape(b, n->x, 4, (const int64_t[]){-1, c, CUT, CUT});
    b->scope = NULL;
    rg_net_add(n, rg_build_param(b, "pixel_pos", RG_F32, 4, (const int64_t[]){1, c, CUT, CUT}));
    rg_net_unroll(n);
}

/* One block: pixels n->x, patches *patch with the class token in front. */
static void run_block(rg_net *n, const char *block, rg_net *patch)
{
    encode(n, block, true, PIXEL_HEADS);
    rg_net inner = *n;
    rg_net_layer_norm(&inner, block, "norm1_proj", 1e-5);
    rg_value_id add = gather(&inner, block, patch->channels);
    patch->b = inner.b;
    rg_net_name(patch, block, "");
    rg_value_id token = rg_zoo_cut(&patch->b, patch->x, 1, 0, 1);
    patch->x = rg_zoo_cut(&patch->b, patch->x, 1, 1, INT64_MAX);
    rg_net_add(patch, add);
    patch->x = rg_build_node(&patch->b, "Concat", "axis=1", token, patch->x, -1);
    encode(patch, block, false, patch->channels / HEAD);
    n->b = patch->b;
}

static rg_err build(rg_ctx *cx, const rg_zoo *self, rg_graph **out)
{
    const tnt *t = self->layout;
    rg_net n, patch;
    RG_TRY(rg_net_begin(&n, cx, self, IMAGE_SIDE));
    rg_value_id batch = rg_zoo_batch(&n.b, n.x);
    embed(&n, t);
    patch = n;
    patch.channels = PIXELS * t->pixel;
    patch.x = rg_zoo_reshape(&patch.b, n.x, 3, (const int64_t[]){-1, PATCHES, PIXELS * t->pixel});
    rg_net_layer_norm(&patch, "norm1_proj", "", 1e-5);
    rg_net_dense(&patch, "proj", "", t->width, true);
    rg_net_layer_norm(&patch, "norm2_proj", "", 1e-5);
    rg_value_id token = rg_zoo_tokens(&patch.b, "cls_token", 1, t->width, batch);
    patch.x = rg_build_node(&patch.b, "Concat", "axis=1", token, patch.x, -1);
    rg_net_add(&patch, rg_build_param(&patch.b, "patch_pos", RG_F32, 3,
                                      (const int64_t[]){1, PATCHES + 1, t->width}));
    n.b = patch.b;
    for (int i = 0; i < LAYERS; i++) {
        char block[24];
        snprintf(block, sizeof block, "blocks.%d", i);
        run_block(&n, block, &patch);
    }
    rg_net_layer_norm(&patch, "norm", "", 1e-5);
    patch.x = rg_build_node(&patch.b, "Gather", "axis=1", patch.x, rg_zoo_int(&patch.b, 0), -1);
    rg_net_linear(&patch, "head", 1000);
    return rg_net_done(&patch, out);
}

#define SOURCE "Han et al. 2021, arXiv:2103.00112; parameters: timm, at 224x224"

/* Name, features of a patch, of a pixel, parameters, MACs. */
#define TNT_LIST(X) \
    X(tnt_s_patch16_224, 384, 24, 23755336, 5216875008) \
    X(tnt_b_patch16_224, 640, 40, 65406600, 14049082880)

#define ROW(id, wide, inner, params, mac) \
    RG_ZOO(id) = { \
        .name = #id, .family = "transformer", .image = IMAGE_SIDE, .source = SOURCE, .build = build, \
        .parameters = params, .macs = mac, .layout = &(const tnt){wide, inner}, \
    };
TNT_LIST(ROW)
