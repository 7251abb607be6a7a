/* vision_models.c - names of classifiers in tables of measurements, and the models of the zoo that they are.
 * Most bear the same name, which the zoo's own row tells (rg_zoo.image); here are the others. Parameters of
 * both are the same to three digits. RepVGG is not among them: some tables are of its folded form, others are
 * not, and no column tells.
 */
#include "learn/vision_models.h"

#include "format/zoo.h"

#include <string.h>

/* Names of timm, of torchvision and of two collections. side: the only image that the zoo's fits; 0: any. */
static const struct { const char *name, *model; int64_t side; } models[] = {
    {"tv_resnet34", "resnet34", 0}, {"tv_resnet50", "resnet50", 0}, {"tv_resnet101", "resnet101", 0},
    {"tv_resnet152", "resnet152", 0}, {"gluon_resnet18_v1b", "resnet18", 0},
    {"gluon_resnet34_v1b", "resnet34", 0}, {"gluon_resnet50_v1b", "resnet50", 0},
    {"gluon_resnet101_v1b", "resnet101", 0}, {"gluon_resnet152_v1b", "resnet152", 0},
    {"resnet50v1.5", "resnet50", 0}, {"resnet", "resnet50", 0}, {"tv_resnext50_32x4d", "resnext50_32x4d", 0},
    {"gluon_resnext50_32x4d", "resnext50_32x4d", 0}, {"ig_resnext101_32x8d", "resnext101_32x8d", 0},
    {"gluon_resnext101_64x4d", "resnext101_64x4d", 0}, {"tv_densenet121", "densenet121", 0},
    {"tf_efficientnet_b0", "efficientnet_b0", 0}, {"tf_efficientnet_b1", "efficientnet_b1", 0},
    {"tf_efficientnet_b2", "efficientnet_b2", 0}, {"tf_efficientnet_b3", "efficientnet_b3", 0},
    {"tf_efficientnet_b4", "efficientnet_b4", 0}, {"tf_efficientnet_b5", "efficientnet_b5", 0},
    {"tf_efficientnet_b6", "efficientnet_b6", 0}, {"tf_efficientnet_b7", "efficientnet_b7", 0},
    {"efficientnetv2_s", "efficientnet_v2_s", 0}, {"efficientnetv2_m", "efficientnet_v2_m", 0},
    {"efficientnetv2_l", "efficientnet_v2_l", 0}, {"tf_efficientnetv2_s", "efficientnet_v2_s", 0},
    {"tf_efficientnetv2_m", "efficientnet_v2_m", 0}, {"tf_efficientnetv2_l", "efficientnet_v2_l", 0},
    {"tf_inception_v3", "inception_v3", 0}, {"adv_inception_v3", "inception_v3", 0},
    {"gluon_inception_v3", "inception_v3", 0}, {"mnasnet_050", "mnasnet0_5", 0},
    {"mnasnet_075", "mnasnet0_75", 0}, {"mnasnet_100", "mnasnet1_0", 0}, {"mnasnet_b1", "mnasnet1_0", 0},
    {"mobilenetv2_100", "mobilenet_v2", 0}, {"mobilenetv3_large_100", "mobilenet_v3_large", 0},
    {"mobilenetv3_small_100", "mobilenet_v3_small", 0}, {"tf_mobilenetv3_large_100", "mobilenet_v3_large", 0},
    {"tf_mobilenetv3_small_100", "mobilenet_v3_small", 0}, {"regnetx_004_tv", "regnet_x_400mf", 0},
    {"regnetx_008", "regnet_x_800mf", 0}, {"regnetx_016", "regnet_x_1_6gf", 0},
    {"regnetx_032", "regnet_x_3_2gf", 0}, {"regnetx_080", "regnet_x_8gf", 0},
    {"regnetx_160", "regnet_x_16gf", 0}, {"regnetx_320", "regnet_x_32gf", 0},
    {"regnety_004", "regnet_y_400mf", 0}, {"regnety_008_tv", "regnet_y_800mf", 0},
    {"regnety_016", "regnet_y_1_6gf", 0}, {"regnety_032", "regnet_y_3_2gf", 0},
    {"regnety_080_tv", "regnet_y_8gf", 0}, {"regnety_160", "regnet_y_16gf", 0},
    {"regnety_320", "regnet_y_32gf", 0}, {"regnety_1280", "regnet_y_128gf", 0},
    {"vit_small_patch16_224", "deit_s", 224}, {"deit_small_patch16_224", "deit_s", 224},
    {"vit_base_patch16_224", "vit_b_16", 224}, {"deit_base_patch16_224", "vit_b_16", 224},
    {"vit_base_patch32_224", "vit_b_32", 224}, {"vit_large_patch16_224", "vit_l_16", 224},
    {"vit_large_patch32_224", "vit_l_32", 224}, {"swin_tiny_patch4_window7_224", "swin_t", 224},
    {"swin_small_patch4_window7_224", "swin_s", 224}, {"swin_base_patch4_window7_224", "swin_b", 224},
    {"gluon_resnet50_v1c", "resnet50c", 0}, {"gluon_resnet50_v1d", "resnet50d", 0},
    {"gluon_resnet50_v1s", "resnet50s", 0}, {"gluon_resnet101_v1c", "resnet101c", 0},
    {"gluon_resnet101_v1d", "resnet101d", 0}, {"gluon_resnet101_v1s", "resnet101s", 0},
    {"gluon_resnet152_v1c", "resnet152c", 0}, {"gluon_resnet152_v1d", "resnet152d", 0},
    {"gluon_resnet152_v1s", "resnet152s", 0}, {"gluon_resnext101_32x4d", "resnext101_32x4d", 0},
    {"gluon_seresnext50_32x4d", "seresnext50_32x4d", 0},
    {"gluon_seresnext101_32x4d", "seresnext101_32x4d", 0},
    {"gluon_seresnext101_64x4d", "seresnext101_64x4d", 0}, {"ig_resnext101_32x16d", "resnext101_32x16d", 0},
    {"ig_resnext101_32x32d", "resnext101_32x32d", 0}, {"ig_resnext101_32x48d", "resnext101_32x48d", 0},
    {"ssl_resnet18", "resnet18", 0}, {"ssl_resnet50", "resnet50", 0},
    {"ssl_resnext50_32x4d", "resnext50_32x4d", 0}, {"ssl_resnext101_32x4d", "resnext101_32x4d", 0},
    {"ssl_resnext101_32x8d", "resnext101_32x8d", 0}, {"ssl_resnext101_32x16d", "resnext101_32x16d", 0},
    {"swsl_resnet18", "resnet18", 0}, {"swsl_resnet50", "resnet50", 0},
    {"swsl_resnext50_32x4d", "resnext50_32x4d", 0}, {"swsl_resnext101_32x4d", "resnext101_32x4d", 0},
    {"swsl_resnext101_32x8d", "resnext101_32x8d", 0}, {"swsl_resnext101_32x16d", "resnext101_32x16d", 0},
    {"legacy_seresnet18", "seresnet18", 0}, {"legacy_seresnet34", "seresnet34", 0},
    {"legacy_seresnet50", "seresnet50", 0}, {"legacy_seresnet101", "seresnet101", 0},
    {"legacy_seresnet152", "seresnet152", 0}, {"legacy_seresnext50_32x4d", "seresnext50_32x4d", 0},
    {"legacy_seresnext101_32x4d", "seresnext101_32x4d", 0}, {"regnetx_002", "regnet_x_002", 0},
    {"regnetx_004", "regnet_x_004", 0}, {"regnetx_006", "regnet_x_006", 0},
    {"regnetx_040", "regnet_x_040", 0}, {"regnetx_064", "regnet_x_064", 0},
    {"regnetx_120", "regnet_x_120", 0}, {"regnety_002", "regnet_y_002", 0},
    {"regnety_006", "regnet_y_006", 0}, {"regnety_008", "regnet_y_008", 0},
    {"regnety_040", "regnet_y_040", 0}, {"regnety_064", "regnet_y_064", 0},
    {"regnety_080", "regnet_y_080", 0}, {"regnety_120", "regnet_y_120", 0},
    {"regnety_640", "regnet_y_640", 0}, {"convnext_tiny_hnf", "convnext_tiny", 0},
    {"mobilenetv2_035", "mobilenet_v2_035", 0}, {"mobilenetv2_050", "mobilenet_v2_050", 0},
    {"mobilenetv2_075", "mobilenet_v2_075", 0}, {"mobilenetv2_110d", "mobilenet_v2_110d", 0},
    {"mobilenetv2_120d", "mobilenet_v2_120d", 0}, {"mobilenetv2_140", "mobilenet_v2_140", 0},
    {"tf_efficientnetv2_b0", "efficientnet_v2_b0", 0}, {"tf_efficientnetv2_b1", "efficientnet_v2_b1", 0},
    {"tf_efficientnetv2_b2", "efficientnet_v2_b2", 0}, {"tf_efficientnetv2_b3", "efficientnet_v2_b3", 0},
    {"tf_efficientnetv2_xl", "efficientnet_v2_xl", 0}, {"efficientnetv2_xl", "efficientnet_v2_xl", 0},
    {"vit_tiny_patch16_224", "vit_ti_16", 224}, {"deit_tiny_patch16_224", "vit_ti_16", 224},
    {"vit_tiny_patch16_384", "vit_ti_16_384", 384}, {"vit_small_patch32_224", "vit_s_32", 224},
    {"vit_small_patch32_384", "vit_s_32_384", 384}, {"vit_small_patch16_384", "vit_s_16_384", 384},
    {"vit_small_patch8_224", "vit_s_8", 224}, {"vit_base_patch8_224", "vit_b_8", 224},
    {"vit_base_patch16_384", "vit_b_16_384", 384}, {"deit_base_patch16_384", "vit_b_16_384", 384},
    {"vit_base_patch16_clip_224", "vit_b_16", 224}, {"vit_base_patch16_clip_384", "vit_b_16_384", 384},
    {"vit_base_patch32_384", "vit_b_32_384", 384}, {"vit_base_patch32_clip_224", "vit_b_32", 224},
    {"vit_base_patch32_clip_384", "vit_b_32_384", 384}, {"vit_base_patch32_clip_448", "vit_b_32_448", 448},
    {"vit_large_patch14_224", "vit_l_14", 224}, {"vit_large_patch14_clip_224", "vit_l_14", 224},
    {"vit_large_patch14_clip_336", "vit_l_14_336", 336}, {"vit_large_patch16_384", "vit_l_16_384", 384},
    {"vit_large_patch32_384", "vit_l_32_384", 384}, {"vit_huge_patch14_224", "vit_h_14", 224},
    {"vit_huge_patch14_clip_224", "vit_h_14", 224}, {"deit3_small_patch16_224", "deit3_s", 224},
    {"deit3_small_patch16_384", "deit3_s_384", 384}, {"deit3_base_patch16_224", "deit3_b", 224},
    {"deit3_base_patch16_384", "deit3_b_384", 384}, {"deit3_large_patch16_224", "deit3_l", 224},
    {"deit3_large_patch16_384", "deit3_l_384", 384}, {"deit3_medium_patch16_224", "deit3_m", 224},
    {"deit3_huge_patch14_224", "deit3_h", 224}, {"swin_large_patch4_window7_224", "swin_l", 224},
    {"mixer_s16_224", "mixer_s16", 224}, {"mixer_s32_224", "mixer_s32", 224},
    {"mixer_b16_224", "mixer_b16", 224}, {"mixer_b32_224", "mixer_b32", 224},
    {"mixer_l16_224", "mixer_l16", 224}, {"mixer_l32_224", "mixer_l32", 224},
    {"resmlp_12_224", "resmlp_12", 224}, {"resmlp_24_224", "resmlp_24", 224},
    {"resmlp_36_224", "resmlp_36", 224}, {"resmlp_big_24_224", "resmlp_big_24", 224},
    {"gmlp_ti16_224", "gmlp_ti16", 224}, {"gmlp_s16_224", "gmlp_s16", 224}, {"gmlp_b16_224", "gmlp_b16", 224},
    {"pit_ti_224", "pit_ti", 224}, {"pit_xs_224", "pit_xs", 224}, {"pit_s_224", "pit_s", 224},
    {"pit_b_224", "pit_b", 224}, {"caformer_s18", "caformer_s18_384", 384},
    {"caformer_s36", "caformer_s36_384", 384}, {"caformer_m36", "caformer_m36_384", 384},
    {"caformer_b36", "caformer_b36_384", 384}, {"efficientnet_es_pruned", "efficientnet_es", 0},
    {"efficientnet_el_pruned", "efficientnet_el", 0}, {"senet154", "legacy_senet154", 0},
    {"gluon_senet154", "legacy_senet154", 0}, {"seresnext26tn_32x4d", "seresnext26t_32x4d", 0},
    {"xception", "legacy_xception", 0}, {"gluon_xception65", "xception65", 0},
    {"mobilevitv2_150", "mobilevitv2_150_384", 384},
    {"mobilevitv2_175", "mobilevitv2_175_384", 384}, {"mobilevitv2_200", "mobilevitv2_200_384", 384},
};

/* What a name tells of how its weights were trained. */
static const char *const endings[] = {"_dist", "_in21ft1k", "_in22ft1k", "_in22k", "_22kft1k", "_miil", "_ns",
                                      "_ap", "_aa"};

static rg_str without_ending(rg_str name)
{
    for (size_t i = 0; i < RG_COUNT(endings); i++) {
        rg_str end = rg_str_of(endings[i]);
        if (name.size > end.size && memcmp(name.data + name.size - end.size, end.data, end.size) == 0)
            return (rg_str){name.data, name.size - end.size};
    }
    return name;
}

static const char *find(rg_str name, int64_t side)
{
    for (size_t i = 0; i < RG_COUNT(models); i++)
        if (rg_str_is(name, models[i].name)
            && (!models[i].side || side <= 0 || side == models[i].side))
            return models[i].model;
    for (int i = 0; i < rg_zoo_count; i++) {
        const rg_zoo *zoo = rg_zoo_table[i];
        bool fits = zoo->image == RG_IMAGE_ANY || (zoo->image && (side <= 0 || side == zoo->image));
        if (fits && rg_str_is(name, zoo->name)) return zoo->name;
    }
    return NULL;
}

/* Weights of TensorFlow's: the same networks, but for zeros at two sides of an image where others have them
 * at all four. */
static rg_str without_beginning(rg_str name)
{
    return rg_str_starts(name, "tf_") ? (rg_str){name.data + 3, name.size - 3} : name;
}

const char *rg_vision_model(rg_str name, int64_t side)
{
    const char *model = find(name, side);
    if (!model) model = find(without_ending(name), side);
    return model ? model : find(without_ending(without_beginning(name)), side);
}
