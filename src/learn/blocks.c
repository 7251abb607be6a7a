/* blocks.c - families of classifiers of images and what their blocks are made of, as their publications and
 * timm's documentation describe them. Totals say how much is computed and written; whether that goes through
 * depthwise windows, scores of attention or many small copies decides how fast it runs. A letter is one
 * structure:
 *
 *     b dense windows      g grouped windows      d depthwise in inverted bottlenecks
 *     c depthwise with layer normalization (ConvNeXt, MetaFormer)
 *     v attention of all positions     w of windows or of a pyramid      k over channels, or linear
 *     m products across positions (MLP-Mixer)     p pooling or shifting in place of attention
 *     h convolution and attention in one network
 *     f scores are written: a learned bias, talking heads; no fused attention
 *     a smooth activations (GELU, SiLU, hard swish)      s squeeze and excitation, or its like
 *     x concatenation, shuffles     q splits at several scales, side by side
 *     r branches that could be folded into one     n standardized weights     l blurred strides
 *     o group or layer normalization of images
 */
#include "learn/blocks.h"

#include "predict/predict.h"

static const struct { const char *begins, *letters; } families[] = {
    {"adv_inception", "bq"}, {"aimv2", "va"}, {"bat_resnext", "bgsf"}, {"beit", "vaf"}, {"bot", "bhf"},
    {"caformer", "caw"}, {"cait", "vafx"}, {"coat_", "hwafx"}, {"coatnet", "dsahf"}, {"coatnext", "cahf"},
    {"convformer", "ca"}, {"convit", "vafx"}, {"convmixer", "ca"}, {"convnext", "cao"},
    {"convnextv2", "caos"}, {"crossvit", "vaxf"}, {"cs3", "bx"}, {"csatv2", "haw"}, {"csp", "bx"},
    {"darknet", "b"}, {"davit", "wac"}, {"deit", "va"}, {"densenet", "bx"}, {"densenetblur", "bxl"},
    {"dla", "bx"}, {"dm_nfnet", "bgsan"}, {"dpn", "bgx"}, {"eca_bot", "bshf"}, {"eca_halo", "bshfx"},
    {"eca_nfnet", "bgsan"}, {"eca_res", "bs"}, {"ecares", "bs"}, {"edgenext", "cakh"},
    {"efficientformer", "daph"}, {"efficientformerv2", "dahf"}, {"efficientnet", "dsa"},
    {"efficientvit_b", "dakh"}, {"efficientvit_l", "dakh"}, {"efficientvit_m", "dswhf"},
    {"ens_adv_inception", "bq"}, {"ese_vov", "bsx"}, {"eva", "va"}, {"fasternet", "bpx"},
    {"fastvit", "drah"}, {"fbnetc", "d"}, {"fbnetv3", "dsa"}, {"flexivit", "va"}, {"focalnet", "caq"},
    {"gc_efficientnet", "dsa"}, {"gcresn", "bs"}, {"gcvit", "wafds"}, {"gernet", "b"}, {"ghost", "dxs"},
    {"gluon_", "b"}, {"gluon_resnext", "bg"}, {"gluon_se", "bs"}, {"gluon_seresnext", "bgs"},
    {"gluon_xception", "d"}, {"gluon_inception", "bq"}, {"gmixer", "ma"}, {"gmlp", "ma"},
    {"halo", "bhfx"}, {"haloregnet", "bgshfx"}, {"hardcore", "da"}, {"hgnet", "bx"}, {"hgnetv2", "bdx"},
    {"hiera", "wa"}, {"hieradet", "wa"}, {"hrnet", "bx"}, {"ig_", "bg"}, {"inception", "bq"},
    {"inception_next", "caq"}, {"inception_resnet", "bqx"}, {"jx_", "wa"}, {"lambda", "bhfx"},
    {"lamhalo", "bhfx"}, {"lcnet", "dsa"}, {"legacy_se", "bs"}, {"legacy_seresnext", "bgs"},
    {"legacy_xception", "d"}, {"levit", "vaf"}, {"mambaout", "cax"}, {"maxvit", "dsahwf"},
    {"maxxvit", "cahwf"}, {"mixer", "ma"}, {"mixnet", "dsaq"}, {"mnasnet", "d"}, {"mobilenet_edge", "bd"},
    {"mobilenetv1", "d"}, {"mobilenetv2", "d"}, {"mobilenetv3", "dsa"}, {"mobilenetv4", "d"},
    {"mobilenetv4_hybrid", "dhk"}, {"mobileone", "dr"}, {"mobilevit", "dah"}, {"mobilevitv2", "dahk"},
    {"mvitv2", "wafd"}, {"naflexvit", "va"}, {"nasnet", "dx"}, {"nest", "waf"}, {"nextvit", "bghwa"},
    {"nf_", "bn"}, {"nf_regnet", "bgsan"}, {"nf_ecaresnet", "bsn"}, {"nf_seresnet", "bsn"},
    {"nfnet", "bgsna"}, {"pit_", "va"}, {"pnasnet", "dx"}, {"poolformer", "pao"}, {"pvt", "wad"},
    {"rdnet", "cxas"}, {"regnetv", "bgsna"}, {"regnetx", "bg"}, {"regnety", "bgs"}, {"regnetz", "dgsa"},
    {"repghost", "drxs"}, {"repvgg", "br"}, {"repvit", "dsra"}, {"res2n", "bq"}, {"resmlp", "ma"},
    {"resnest", "bsq"}, {"resnet", "b"}, {"resnetaa", "bl"}, {"resnetblur", "bl"}, {"resnetrs", "bs"},
    {"resnetv2", "b"}, {"resnext", "bg"}, {"rexnet", "dsa"}, {"sam2_hiera", "wa"}, {"samvit", "vaf"},
    {"sehalo", "bhsfx"}, {"selecsls", "bx"}, {"semnas", "ds"}, {"semobilevit", "dsah"}, {"senet", "bgs"},
    {"sequencer", "max"}, {"seresnet", "bs"}, {"seresnext", "bgs"}, {"shvit", "dah"}, {"skres", "bsq"},
    {"spnas", "d"}, {"ssl_", "b"}, {"starnet", "da"}, {"swiftformer", "dahk"}, {"swin", "waf"},
    {"swsl", "b"}, {"tf_efficientnet", "dsa"}, {"tf_inception", "bq"}, {"tf_mixnet", "dsaq"},
    {"tf_mobilenet", "dsa"}, {"tiny_vit", "hwadf"}, {"tinynet", "dsa"}, {"tnt", "vaxf"},
    {"tresnet", "bsxl"}, {"tv_", "b"}, {"twins", "wa"}, {"vgg", "b"}, {"visformer", "vah"},
    {"vit_", "va"}, {"vit_relpos", "vaf"}, {"vit_srelpos", "vaf"}, {"vitamin", "dahv"}, {"volo", "vafx"},
    {"vovnet", "bx"}, {"wide", "b"}, {"xception", "d"}, {"xcit", "kad"},
};

/* Words anywhere in a name that add a structure. */
static const struct { const char *part, *letters; } words[] = {
    {"_se", "s"}, {"seres", "s"}, {"ecares", "s"}, {"gcres", "s"}, {"aa_", "l"}, {"aa2", "l"}, {"blur", "l"},
    {"_gn", "o"}, {"evos", "o"}, {"evob", "o"}, {"_ln", "o"}, {"relpos", "f"},
};

uint32_t rg_block(char letter)
{
    static const char all[] = RG_BLOCK_LETTERS;
    for (uint32_t i = 0; all[i]; i++)
        if (all[i] == letter) return UINT32_C(1) << i;
    return 0;
}

static uint32_t bits_of(const char *letters)
{
    uint32_t bits = 0;
    for (; *letters; letters++) bits |= rg_block(*letters);
    return bits;
}

uint32_t rg_blocks_of(rg_str name)
{
    const char *best = "";
    size_t longest = 0;
    for (size_t i = 0; i < RG_COUNT(families); i++) {
        rg_str begins = rg_str_of(families[i].begins);
        if (begins.size > longest && rg_str_starts(name, families[i].begins))
            longest = begins.size, best = families[i].letters;
    }
    uint32_t bits = bits_of(best);
    for (rg_str rest = name; rest.size; rest.data++, rest.size--)
        for (size_t i = 0; i < RG_COUNT(words); i++)
            if (rg_str_starts(rest, words[i].part)) bits |= bits_of(words[i].letters);
    return bits;
}

int64_t rg_patch_of(rg_str name)
{
    static const char *const marks[] = {"patch", "_p"};
    for (rg_str rest = name; rest.size; rest.data++, rest.size--)
        for (size_t i = 0; i < RG_COUNT(marks); i++) {
            size_t at = rg_str_of(marks[i]).size;
            int64_t number = 0;
            if (!rg_str_starts(rest, marks[i])) continue;
            for (; at < rest.size && number < 100 && rest.data[at] >= '0' && rest.data[at] <= '9'; at++)
                number = number * 10 + rest.data[at] - '0';
            if (number) return number;
        }
    return 0;
}
