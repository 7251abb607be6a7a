/* points_doc.c - measured against forecast, and what is left against the forecast: points[] of a result and
 * two charts. Thousands of rows are drawn from, each as likely as any other, so that a document stays small.
 */
#include "learn/row_draw.h"
#include "learn/evaluate.h"

#include <math.h>

enum { POINTS = 1500 };

static void add_points(rg_doc *doc, rg_item *points, const rg_evaluation *e, int quantity)
{
    size_t answered = 0;
    for (size_t i = 0; i < e->count; i++) answered += rg_verdict_answered(&e->verdicts[i], quantity);
    rg_row_draw draw = rg_row_draw_of(answered, POINTS);
    for (size_t i = 0; i < e->count; i++) {
        const rg_verdict *v = &e->verdicts[i];
        if (!rg_verdict_answered(v, quantity) || !rg_row_draw_next(&draw)) continue;
        rg_item *p = rg_doc_object(doc, points, NULL);
        rg_doc_int(doc, p, "line", v->row + 2);
        rg_doc_view(doc, p, "device", e->groups[v->group].device);
        rg_doc_view(doc, p, "family", e->groups[v->group].family);
        rg_doc_real(doc, p, "measured", v->measured[quantity]);
        rg_doc_real(doc, p, "forecast", v->forecast[quantity]);
        rg_doc_real(doc, p, "ratio", v->measured[quantity] / v->forecast[quantity]);
    }
}

void rg_points_doc(rg_doc *doc, rg_item *result, size_t number, const rg_evaluation *e, int quantity)
{
    const rg_quantity *q = &e->judge->quantities[quantity];
    rg_item *points = rg_doc_array(doc, result, "points");
    add_points(doc, points, e, quantity);
    rg_item *charts = rg_doc_object(doc, result, "charts"); /* a chart borrows its name */
    const rg_item *first = rg_doc_text(doc, charts, "measured", "measured-%zu", number),
                  *second = rg_doc_text(doc, charts, "residual", "residual-%zu", number);
    if (!points || !points->count || !first || !second) return;
    const rg_axis forecast = {"forecast", "forecast", q->unit, true};
    rg_doc_chart(doc, &(rg_chart){
        .kind = RG_CHART_SCATTER, .name = first->string, .title = "Measured against forecast",
        .text = "Each mark is a row; on the diagonal a forecast is right.", .array = points, .x = forecast,
        .y = &(rg_axis){"measured", "measured", q->unit, true}, .y_count = 1, .group = "device",
        .label = "family", .guide = RG_GUIDE_EVEN,
    });
    rg_doc_chart(doc, &(rg_chart){
        .kind = RG_CHART_SCATTER, .name = second->string, .title = "What is left, against the forecast",
        .text = "Measured over forecast: above 1 the forecast is too low.", .array = points, .x = forecast,
        .y = &(rg_axis){"ratio", "measured / forecast", RG_UNIT_NONE, true}, .y_count = 1, .group = "device",
        .label = "family", .guide = RG_GUIDE_ONE,
    });
}
