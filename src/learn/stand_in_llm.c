/* stand_in_llm.c - a language model of which only the totals are known, as a decoder of the usual shape:
 * heads of 128 features, eight of keys and values, gated inner layers. With V words, d features and L layers
 *
 *     dense      P = 13 L d^2 + 2 V d,  L = d / 128
 *     mixture    A = 12 L d^2 + 2 V d,  L = d / 64
 *     hybrid     P = 14 L d^2 + 2 V d,  L = d / 160
 *
 * give d. Llama 3 (arXiv:2407.21783) and Qwen3 (arXiv:2505.09388): L is d / 102 to d / 128, a layer 12 to 14
 * d^2. Mixtures of Qwen3, gpt-oss (arXiv:2508.10925), DeepSeek-V3 (arXiv:2412.19437): d / 43 to d / 117.
 * Nemotron-H (arXiv:2504.03624), Nemotron Nano 2 (arXiv:2508.14444): 26, 28 and 31 pairs of a state and an
 * inner layer at 4096, 4480 and 5120 features; 6 d^2 of a state's projections, 8 d^2 of the inner layer's.
 *
 * d is a multiple of 1024, of a hybrid 512, with heads that eight devices can share; the inner features then
 * take what is left of the total. Of a mixture's E experts each token goes through k:
 *
 *     k E_1 = 0.65 A',  k E_1 + (E - k) E_1 = ~P   ->   k = 0.65 A' E / P,    E_1 = (P - A) / (E - k)
 *
 * with A' = A - 2 V d, E_1 the parameters of one expert in all layers; 0.65: what is left of 12 d^2 beside
 * attention. A token's work and the weights that a batch touches depend on k / E more than on E. What is left
 * of A is an expert for every token.
 *
 * In a hybrid every eighth layer attends (Jamba, arXiv:2403.19887); another one reads and writes a state of
 * 2 d x 128 numbers for each sequence (Mamba-2, arXiv:2405.21060), in f32 as its kernels hold it, where the
 * rest is of 16 bits: as many bytes as the keys and values of 2 4 d 128 / (2 8 128) = d / 2 tokens, which is
 * what it looks back here.
 */
#include "learn/stand_in_llm.h"

#include <math.h>

enum { HEAD = 128, KV_HEADS = 8, WORDS = 128256, STEP = 1024, ROUND = 128, EXPERTS = 128, ATTENDS = 8 };
#define SMALL 4e9 /* parameters: below, the head is the table of words (Llama 3.2, Qwen3) */
#define ROUTED 0.65

static double words_of(const rg_llm_totals *t, double d)
{
    return (t->parameters < SMALL ? 1 : 2) * WORDS * d;
}

/* Of d and a layer's parameters over d^2. */
typedef struct usual { double step, narrow, square; } usual;

static usual usual_of(const rg_llm_totals *t)
{
    if (t->mixture) return (usual){STEP, 64, 12};
    return t->hybrid ? (usual){STEP / 2, 160, 14} : (usual){STEP, 128, 13};
}

static double layers_of(const rg_llm_totals *t, double d)
{
    return fmax(1, round(d / usual_of(t).narrow));
}

/* The width whose usual total is nearest. */
static double find_width(const rg_llm_totals *t)
{
    double wanted = t->mixture ? t->active : t->parameters, best = INFINITY, width = 0;
    usual u = usual_of(t);
    for (double d = STEP; d <= 32 * STEP; d += u.step) {
        double has = u.square * layers_of(t, d) * d * d + words_of(t, d);
        double off = fabs(log(has / wanted));
        if (off < best) best = off, width = d;
    }
    return width;
}

static int64_t rounded(double size) { return (int64_t)fmax(round(size / ROUND), 0) * ROUND; }

static void add_experts(const rg_llm_totals *t, double rest, rg_decoder *out)
{
    double d = (double)out->width, all = 3 * d * out->layers, count = (double)t->experts;
    double active = t->active - words_of(t, d);
    if (!t->experts) count = EXPERTS;
    double chosen = fmin(fmax(1, round(ROUTED * active * count / t->parameters)), fmax(1, count / 2));
    int64_t inner = rounded((t->parameters - t->active) / fmax(count - chosen, 1) / all);
    out->experts = (rg_experts){.count = (int64_t)count, .chosen = (int64_t)chosen,
                                .inner = inner > ROUND ? inner : ROUND};
    out->experts.shared = rounded(rest / all - chosen * (double)out->experts.inner);
}

rg_err rg_stand_in_decoder(rg_ctx *cx, const rg_llm_totals *t, rg_decoder *out)
{
    bool good = t->parameters >= 1e8 && t->parameters <= 1e13 && t->active > 0
                && t->active <= t->parameters * 1.01;
    if (!good)
        return rg_fail(cx, RG_UNSUPPORTED, "no decoder has %g parameters, %g of them for each token",
                       t->parameters, t->active);
    double d = find_width(t), layers = layers_of(t, d);
    double attention = 2 * d * d + 2 * d * KV_HEADS * HEAD;
    double rest = (t->mixture ? t->active : t->parameters) - words_of(t, d) - layers * attention;
    int64_t inner = rounded(rest / (3 * d * layers));
    *out = (rg_decoder){
        .names = &rg_llama_names, .dtype = RG_BF16, .activation = "Swish", .gated = true, .epsilon = 1e-5,
        .theta = 5e5, .words = WORDS, .tied = t->parameters < SMALL, .layers = (int)layers,
        .width = (int64_t)d, .inner = inner > STEP ? inner / STEP * STEP : STEP,
        .heads = ((int64_t)d + STEP - 1) / STEP * (STEP / HEAD), .kv_heads = KV_HEADS, .head = HEAD,
    };
    if (t->hybrid) out->window = (int64_t)d / 2, out->period = ATTENDS;
    if (t->mixture) add_experts(t, rest, out);
    return RG_OK;
}
