/* choice_doc.c - a setting chosen by the forecast, and what it costs: of each curve the one with the least
 * time x energy (EDP) by the forecast, the one that was measured to be the least, and
 *
 *     loss = EDP measured at the chosen one / the least measured EDP - 1
 *
 * Where a probe was measured, that is taken instead of a forecast. Beside it, what running at 0.8 of the
 * highest setting costs, as is customary.
 */
#include "learn/evaluate.h"

#include <math.h>

#define CUSTOMARY_SHARE 0.8

typedef struct choice {
    double at, best_at, loss, customary_loss;
} choice;

static double product(const rg_judge *judge, const double *quantities)
{
    return quantities[judge->time] * quantities[judge->energy];
}

/* Clean settings only: an optimum that is none would be taken for the best. False: nothing to choose from. */
static bool choose(const rg_judge *judge, const rg_curve *curve, choice *out)
{
    double least = INFINITY, best = INFINITY, chosen = NAN, customary = NAN, highest = 0, apart = INFINITY;
    for (uint32_t i = 0; i < curve->count; i++)
        if (!curve->settings[i].dirty) highest = fmax(highest, curve->settings[i].at);
    for (uint32_t i = 0; i < curve->count; i++) {
        const rg_setting *s = &curve->settings[i];
        double measured = product(judge, s->measured);
        double forecast = s->probe ? measured : product(judge, s->forecast);
        if (s->dirty || !(measured > 0) || !(forecast > 0)) continue;
        if (forecast < least) least = forecast, chosen = measured, out->at = s->at;
        if (measured < best) best = measured, out->best_at = s->at;
        double off = fabs(s->at - CUSTOMARY_SHARE * highest);
        if (off < apart) apart = off, customary = measured;
    }
    out->loss = chosen / best - 1;
    out->customary_loss = customary / best - 1;
    return best < INFINITY;
}

typedef struct losses { double sum, most; } losses;

static void add(losses *l, double loss)
{
    l->sum += loss;
    l->most = fmax(l->most, loss);
}

static void show(rg_doc *doc, const rg_item *summary, const rg_item *choices, bool noted)
{
    static const rg_column fields[] = {
        {"n", "curves", RG_UNIT_COUNT, false},
        {"loss_mean", "loss, mean", RG_UNIT_FRACTION, true},
        {"loss_most", "most", RG_UNIT_FRACTION, true},
        {"customary_loss_mean", "at 0.8 of the highest, mean", RG_UNIT_FRACTION, false},
        {"customary_loss_most", "most", RG_UNIT_FRACTION, false},
    };
    static const rg_column columns[] = {
        {"device", "device", RG_UNIT_NONE, false},
        {"family", "family", RG_UNIT_NONE, false},
        {"at", "chosen", RG_UNIT_NONE, false},
        {"best_at", "best", RG_UNIT_NONE, false},
        {"loss", "loss", RG_UNIT_FRACTION, true},
        {"customary_loss", "at 0.8 of the highest", RG_UNIT_FRACTION, false},
        {"note", "of the measurement", RG_UNIT_NONE, false},
    };
    rg_doc_section(doc, 2, "The setting that is chosen");
    rg_doc_say(doc, "The least energy-delay product by the forecast, and how much more it is than the least "
                    "that was measured.");
    rg_doc_fields(doc, summary, fields, RG_COUNT(fields));
    rg_doc_table(doc, "choices", choices, columns,
                 RG_COUNT(columns) - !noted, 20);
}

void rg_choices_doc(rg_doc *doc, rg_item *all, const rg_evaluation *e)
{
    losses ours = {0, 0}, customary = {0, 0};
    double count = 0;
    bool noted = false;
    rg_item *summary = rg_doc_object(doc, all, NULL);
    rg_doc_str(doc, summary, "file", e->table->path);
    rg_doc_str(doc, summary, "kind", e->judge->name);
    rg_item *choices = rg_doc_array(doc, summary, "curves");
    for (size_t c = 0; c < e->curve_count; c++) {
        const rg_curve *curve = &e->curves[c];
        choice one = {0};
        if (!choose(e->judge, curve, &one)) continue;
        rg_item *r = rg_doc_object(doc, choices, NULL);
        rg_doc_view(doc, r, "device", e->groups[curve->group].device);
        rg_doc_view(doc, r, "family", e->groups[curve->group].family);
        rg_doc_int(doc, r, "line", e->verdicts[curve->rows[0]].row + 2);
        rg_doc_real(doc, r, "at", one.at);
        rg_doc_real(doc, r, "best_at", one.best_at);
        rg_doc_real(doc, r, "loss", one.loss);
        rg_doc_real(doc, r, "customary_loss", one.customary_loss);
        rg_doc_str(doc, r, "note", curve->note ? curve->note : "");
        noted |= curve->note != NULL;
        add(&ours, one.loss);
        add(&customary, one.customary_loss);
        count++;
    }
    rg_doc_real(doc, summary, "n", count);
    rg_doc_real(doc, summary, "loss_mean", count > 0 ? ours.sum / count : NAN);
    rg_doc_real(doc, summary, "loss_most", ours.most);
    rg_doc_real(doc, summary, "customary_loss_mean", count > 0 ? customary.sum / count : NAN);
    rg_doc_real(doc, summary, "customary_loss_most", customary.most);
    if (count > 0) show(doc, summary, choices, noted);
}
