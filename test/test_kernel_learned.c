/* test_kernel_learned.c - plain kernels of ai.onnx.ml: models small enough to be worked out by hand, the
 * edges of comparisons, NaN, models that contradict themselves, and labels, strings and maps on their way
 * through a graph.
 */
#include "kernel_run.h"

static int setup(void **state)
{
    *state = rg_ctx_new(NULL);
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    rg_ctx_free(*state);
    return 0;
}

#define ML "ai.onnx.ml:"

/* ---- trees ---- */

/* x ? 0.5 : leaf 1 adds 10, leaf 2 adds 20. */
#define STUMP(mode)                                                                                     \
    "nodes_falsenodeids=2,0,0 nodes_featureids=0,0,0 nodes_modes=[\"" mode "\",\"LEAF\",\"LEAF\"] "    \
    "nodes_nodeids=0,1,2 nodes_treeids=0,0,0 nodes_truenodeids=1,0,0 nodes_values=0.5,0.0,0.0 "
#define WEIGHTS "target_ids=0,0 target_nodeids=1,2 target_treeids=0,0 target_weights=10.0,20.0 "
#define POINTS  "f32[4,1]=0,0.5,1,nan"

static void test_comparisons(void **state)
{
    static const kernel_row rows[] = {
        {ML "TreeEnsembleRegressor", POINTS, STUMP("BRANCH_LEQ") WEIGHTS, "f32[4,1]=10,10,20,20"},
        {ML "TreeEnsembleRegressor", POINTS, STUMP("BRANCH_LT") WEIGHTS, "f32[4,1]=10,20,20,20"},
        {ML "TreeEnsembleRegressor", POINTS, STUMP("BRANCH_GTE") WEIGHTS, "f32[4,1]=20,10,10,20"},
        {ML "TreeEnsembleRegressor", POINTS, STUMP("BRANCH_GT") WEIGHTS, "f32[4,1]=20,20,10,20"},
        {ML "TreeEnsembleRegressor", POINTS, STUMP("BRANCH_EQ") WEIGHTS, "f32[4,1]=20,10,20,20"},
        {ML "TreeEnsembleRegressor", POINTS, STUMP("BRANCH_NEQ") WEIGHTS, "f32[4,1]=10,20,10,10"},
        {ML "TreeEnsembleRegressor", POINTS,
         STUMP("BRANCH_LEQ") WEIGHTS "nodes_missing_value_tracks_true=1,0,0", "f32[4,1]=10,10,20,10"},
        {ML "TreeEnsembleRegressor", POINTS, STUMP("BRANCH_LEQ") WEIGHTS "base_values=[0.5]",
         "f32[4,1]=10.5,10.5,20.5,20.5"},
        {ML "TreeEnsembleRegressor", "i64[1]=1", STUMP("BRANCH_LEQ") WEIGHTS, "f32[1,1]=20"},
        {ML "TreeEnsembleRegressor", "f64[0,1]=", STUMP("BRANCH_LEQ") WEIGHTS, "f32[0,1]="},
    };
    KERNEL_CHECK_ALL(*state, rows);
}

/* Two trees of one leaf each, of 3 and 5. */
#define LEAVES                                                                                         \
    "nodes_falsenodeids=0,0 nodes_featureids=0,0 nodes_modes=[\"LEAF\",\"LEAF\"] nodes_nodeids=0,0 "   \
    "nodes_treeids=0,1 nodes_truenodeids=0,0 nodes_values=0.0,0.0 target_ids=0,0 target_nodeids=0,0 " \
    "target_treeids=0,1 target_weights=3.0,5.0 n_targets=2 "

static void test_aggregates(void **state)
{
    static const kernel_row rows[] = {
        {ML "TreeEnsembleRegressor", "f32[1,1]=0", LEAVES, "f32[1,2]=8,0"},
        {ML "TreeEnsembleRegressor", "f32[1,1]=0", LEAVES "aggregate_function=\"AVERAGE\"", "f32[1,2]=4,0"},
        {ML "TreeEnsembleRegressor", "f32[1,1]=0", LEAVES "aggregate_function=\"MIN\"", "f32[1,2]=3,0"},
        {ML "TreeEnsembleRegressor", "f32[1,1]=0", LEAVES "aggregate_function=\"MAX\" base_values=1.0,2.0",
         "f32[1,2]=6,2"},
    };
    KERNEL_CHECK_ALL(*state, rows);
}

/* Members 1 and 4, NaN behind. */
#define MEMBER                                                                                           \
    "leaf_targetids=0,0 leaf_weights=tensor f64[2] {1, 2} nodes_falseleafs=[1] nodes_falsenodeids=[1] " \
    "nodes_featureids=[0] nodes_modes=tensor u8[1] {6} nodes_trueleafs=[1] nodes_truenodeids=[0] "      \
    "nodes_splits=tensor f64[1] {0} tree_roots=[0] membership_values=tensor f64[3] {1, 4, nan} "

static void test_ensemble(void **state)
{
    static const kernel_row rows[] = {
        {ML "TreeEnsemble", "f64[4,1]=0,1,4,nan", MEMBER "n_targets=1", "f64[4,1]=2,1,1,2"},
        {ML "TreeEnsemble", "f64[1,1]=1", MEMBER, "f64[1,1]=1"}, /* as many targets as leaves name */
        {ML "TreeEnsemble", "f64[1,1]=1", MEMBER "n_targets=1 post_transform=2",
         "f64[1,1]=0.7310585786300049"},
    };
    KERNEL_CHECK_ALL(*state, rows);
}

static void test_broken_trees(void **state)
{
    static const char circle[] =
        "nodes_falsenodeids=[0] nodes_featureids=[0] nodes_modes=[\"BRANCH_LEQ\"] nodes_nodeids=[0] "
        "nodes_treeids=[0] nodes_truenodeids=[0] nodes_values=[0.5] target_ids=[0] target_nodeids=[0] "
        "target_treeids=[0] target_weights=[1.0]";
    static const char orphan[] =
        "nodes_falsenodeids=[7] nodes_featureids=[0] nodes_modes=[\"BRANCH_LEQ\"] nodes_nodeids=[0] "
        "nodes_treeids=[0] nodes_truenodeids=[0] nodes_values=[0.5] target_ids=[0] target_nodeids=[0] "
        "target_treeids=[0] target_weights=[1.0]";
    static const char target[] = STUMP("BRANCH_LEQ")
        "target_ids=0,1 target_nodeids=1,2 target_treeids=0,0 target_weights=10.0,20.0";
    kernel_row row = {ML "TreeEnsembleRegressor", "f32[1,1]=0", circle, "f32[1,1]"};
    kernel_check_fails(*state, &row, RG_FORMAT);
    row.attrs = orphan;
    kernel_check_fails(*state, &row, RG_FORMAT);
    row.attrs = target;
    kernel_check_fails(*state, &row, RG_FORMAT);
    row.attrs = STUMP("BRANCH_ODD") WEIGHTS;
    kernel_check_fails(*state, &row, RG_FORMAT);
    row = (kernel_row){ML "TreeEnsembleRegressor", "f32[1,0]=", STUMP("BRANCH_LEQ") WEIGHTS, "f32[1,1]"};
    kernel_check_fails(*state, &row, RG_FORMAT); /* there is no feature 0 */
}

/* One score of two classes: a probability where no weight is negative. logistic(log 3) = 3/4. */
#define VOTES(a, b)                                                                             \
    STUMP("BRANCH_LEQ") "class_ids=0,0 class_nodeids=1,2 class_treeids=0,0 class_weights=" a "," b \
    " classlabels_int64s=7,9 "

static void test_tree_classes(void **state)
{
    static const kernel_row rows[] = {
        {ML "TreeEnsembleClassifier", "f32[2,1]=0,1", VOTES("0.25", "0.75"),
         "i64[2]=7,9 f32[2,2]=0.75,0.25,0.25,0.75"},
        {ML "TreeEnsembleClassifier", "f32[2,1]=0,1", VOTES("-2.0", "0.25"),
         "i64[2]=7,9 f32[2,2]=2,-2,-0.25,0.25"},
        {ML "TreeEnsembleClassifier", "f32[1,1]=1", VOTES("-2.0", "1.0") "post_transform=\"LOGISTIC\" "
         "base_values=[0.0986122886681098]", "i64[1]=9 f32[1,2]=0.25,0.75"},
        {ML "TreeEnsembleClassifier", "f32[2,1]=0,1",
         STUMP("BRANCH_LEQ") "class_ids=0,1,2 class_nodeids=1,2,2 class_treeids=0,0,0 "
         "class_weights=1.0,2.0,2.0 classlabels_int64s=7,9,11",
         "i64[2]=7,9 f32[2,3]=1,0,0,0,2,2"},
    };
    KERNEL_CHECK_ALL(*state, rows);
}

/* ---- linear models and support vectors ---- */

static void test_linear(void **state)
{
    static const kernel_row rows[] = {
        {ML "LinearRegressor", "f32[2,2]=1,2,3,4",
         "coefficients=1.0,10.0,-1.0,0.5 intercepts=100.0,0.0 targets=2", "f32[2,2]=121,0,143,-1"},
        {ML "LinearRegressor", "i32[2]=1,2", "coefficients=1.0,10.0", "f32[1,1]=21"},
        {ML "LinearClassifier", "f32[2,1]=-1,2",
         "coefficients=1.0,-1.0 intercepts=0.0,0.5 classlabels_ints=5,6",
         "i64[2]=6,5 f32[2,2]=-1,1.5,2,-1.5"},
        {ML "LinearClassifier", "f32[2,1]=-1,0.25",
         "coefficients=[1.0] intercepts=[0.0] classlabels_ints=5,6", "i64[2]=5,6 f32[2,2]=2,-1,0.75,0.25"},
        {ML "LinearClassifier", "f32[1,1]=1.0986122886681098",
         "coefficients=0.0,1.0 intercepts=0.0,0.0 "
         "classlabels_ints=5,6 post_transform=\"SOFTMAX\"",
         "i64[1]=6 f32[1,2]=0.25,0.75"},
        {ML "LinearClassifier", "f32[1,1]=1.0986122886681098",
         "coefficients=0.0,1.0,-1.0 classlabels_ints=5,6,7 "
         "post_transform=\"SOFTMAX_ZERO\"",
         "i64[1]=6 f32[1,3]=0,0.9,0.1"},
    };
    KERNEL_CHECK_ALL(*state, rows);
    kernel_row row = {ML "LinearClassifier", "f32[1,2]=1,2", "coefficients=1.0,2.0,3.0 classlabels_ints=5,6",
                      "i64[1] f32[1,2]"};
    kernel_check_fails(*state, &row, RG_SHAPE);
}

static void test_svm(void **state)
{
    static const kernel_row rows[] = {
        /* 2 * exp(-0.5 * 4) + 0.5; 2 * (0.5 * 3 + 1)^2; 1 - 2 */
        {ML "SVMRegressor", "f32[1,1]=3", "kernel_type=\"RBF\" kernel_params=0.5,0.0,0.0 n_supports=1 "
         "support_vectors=[1.0] coefficients=[2.0] rho=[0.5]", "f32[1,1]=0.7706705664732254"},
        {ML "SVMRegressor", "f32[1,1]=3", "kernel_type=\"POLY\" kernel_params=0.5,1.0,2.0 n_supports=1 "
         "support_vectors=[1.0] coefficients=[2.0] rho=[0.0]", "f32[1,1]=12.5"},
        {ML "SVMRegressor", "f32[2,2]=1,2,0,0", "coefficients=1.0,-1.0 rho=[0.5] one_class=1",
         "f32[2,1]=-1,1"},
        /* two classes: 2 x - 3 x + 0.5, for the first class where it is positive */
        {ML "SVMClassifier", "f32[2,1]=1,-1", "classlabels_ints=5,6 support_vectors=2.0,3.0 "
         "vectors_per_class=1,1 coefficients=1.0,-1.0 rho=[0.5]", "i64[2]=6,5 f32[2,2]=0.5,-0.5,-1.5,1.5"},
        /* three: vectors 1, 2, 3 times x = 1; sums 10 * 1 + 1 * 2, 20 * 1 + 2 * 3, 30 * 2 - 40 * 3 */
        {ML "SVMClassifier", "f32[1,1]=1", "classlabels_ints=5,6,7 support_vectors=1.0,2.0,3.0 "
         "vectors_per_class=1,1,1 coefficients=10.0,1.0,2.0,20.0,30.0,-40.0 rho=0.0,0.0,0.0",
         "i64[1]=5 f32[1,3]=12,26,-60"},
        /* sums of 0 make every pair even */
        {ML "SVMClassifier", "f32[1,1]=0", "classlabels_ints=5,6,7 support_vectors=1.0,2.0,3.0 "
         "vectors_per_class=1,1,1 coefficients=10.0,1.0,2.0,20.0,30.0,-40.0 rho=0.0,0.0,0.0 "
         "prob_a=-1.0,-1.0,-1.0 prob_b=0.0,0.0,0.0", "i64[1]=7 f32[1,3]=0.33333333,0.33333333,0.33333333"},
        {ML "SVMClassifier", "f32[1,2]=1,2", "classlabels_ints=5,6 coefficients=1.0,1.0,2.0,2.0 rho=[0.5]",
         "i64[1]=6 f32[1,2]=3.5,6.5"},
    };
    KERNEL_CHECK_ALL(*state, rows);
    kernel_row row = {ML "SVMClassifier", "f32[1,1]=1", "classlabels_ints=5,6 support_vectors=[1.0] "
                      "vectors_per_class=1,1 coefficients=1.0,1.0 rho=[0.0]", "i64[1] f32[1,2]"};
    kernel_check_fails(*state, &row, RG_SHAPE);
}

/* ---- features ---- */

static void test_features(void **state)
{
    static const kernel_row rows[] = {
        {ML "Binarizer", "f32[3]=0,1,nan", "threshold=0.5f", "f32[3]=0,1,0"},
        {ML "Scaler", "i64[2,2]=1,2,3,4", "offset=1.0,0.0 scale=[2.0]", "f32[2,2]=0,4,4,8"},
        {ML "Normalizer", "f64[2,2]=3,-4,0,0", "norm=\"L2\"", "f32[2,2]=0.6,-0.8,0,0"},
        {ML "Normalizer", "f64[2]=3,-1", "norm=\"L1\"", "f32[2]=0.75,-0.25"},
        {ML "Normalizer", "i32[1,2]=2,-8", "", "f32[1,2]=1,-4"},
        {ML "Imputer", "f32[2,2]=nan,1,2,nan", "imputed_value_floats=5.0,6.0 replaced_value_float=nan",
         "f32[2,2]=5,1,2,6"},
        {ML "Imputer", "i64[3]=7,0,9223372036854775807", "imputed_value_int64s=[-1] replaced_value_int64=7",
         "i64[3]=-1,0,9223372036854775807"},
        {ML "ArrayFeatureExtractor", "f32[2,3]=1,2,3,4,5,6 i64[2]=2,0", "", "f32[2,2]=3,1,6,4"},
        {ML "ArrayFeatureExtractor", "i32[3]=1,2,3 i64[1,2]=2,2", "", "i32[1,2]=3,3"},
        {ML "FeatureVectorizer", "f32[2,1]=1,2 f32[2,2]=3,4,5,6", "", "f32[2,3]=1,3,4,2,5,6"},
        {ML "FeatureVectorizer", "i64[2,1]=1,2 i64[2,2]=3,4,5,6", "inputdimensions=2,1",
         "f32[2,3]=1,0,3,2,0,5"},
        {ML "OneHotEncoder", "i64[3]=2,9,1", "cats_int64s=1,2", "f32[3,2]=0,1,0,0,1,0"},
        {ML "LabelEncoder", "f32[3]=nan,1,2", "keys_floats=nan,1.0 values_int64s=5,6", "i64[3]=5,6,-1"},
        {ML "LabelEncoder", "i64[2]=3,4", "keys_int64s=[3] values_floats=[0.5]", "f32[2]=0.5,-0.0"},
        {ML "LabelEncoder", "i16[2]=3,4",
         "keys_tensor=tensor i16[1] {3} values_tensor=tensor i16[1] {8} "
         "default_tensor=tensor i16[1] {99}",
         "i16[2]=8,99"},
    };
    KERNEL_CHECK_ALL(*state, rows);
    kernel_row row = {ML "OneHotEncoder", "i64[1]=9", "cats_int64s=1,2 zeros=0", "f32[1]"};
    kernel_check_fails(*state, &row, RG_INPUT);
    row = (kernel_row){ML "ArrayFeatureExtractor", "f32[2]=1,2 i64[1]=2", "", "f32[1]"};
    kernel_check_fails(*state, &row, RG_INPUT);
    row = (kernel_row){ML "LabelEncoder", "i64[1]=1", "keys_int64s=1,2 values_int64s=[5]", "f32[1]"};
    kernel_check_fails(*state, &row, RG_FORMAT);
    row = (kernel_row){ML "Scaler", "f32[1,3]=1,2,3", "offset=1.0,2.0 scale=[1.0]", "f32[1]"};
    kernel_check_fails(*state, &row, RG_SHAPE);
}

/* ---- strings and maps ---- */

#define GRAPH "ridge.graph/1 \"g\" opset 20\nimport \"ai.onnx.ml\" 4\n"

static void test_graphs(void **state)
{
    static const kernel_row rows[] = {
        {ML "LabelEncoder", NULL,
         GRAPH "const %x = i64[3] {2, 1, 5}\n"
         "graph () {\n"
         "  %s = ai.onnx.ml:LabelEncoder(%x) keys_int64s=1,2 values_strings=[\"one\",\"two\"] "
         "default_string=\"no\"\n"
         "  %y = ai.onnx.ml:LabelEncoder(%s) keys_strings=[\"no\",\"one\",\"two\"] values_int64s=10,11,12\n"
         "  %z = ai.onnx.ml:OneHotEncoder(%s) cats_strings=[\"two\",\"no\"]\n"
         "  return %y, %z\n"
         "}\n",
         "i64[3]=12,11,10 f32[3,2]=1,0,0,0,0,1"},
        {ML "CategoryMapper", NULL,
         GRAPH "const %x = i64[2] {4, 5}\n"
         "graph () {\n"
         "  %s = ai.onnx.ml:CategoryMapper(%x) cats_int64s=4,3 cats_strings=[\"a\",\"b\"]\n"
         "  %y = ai.onnx.ml:CategoryMapper(%s) cats_int64s=40,30 cats_strings=[\"a\",\"b\"]\n"
         "  return %y\n"
         "}\n",
         "i64[2]=40,-1"},
        /* the second row as a map, and back in another order */
        {ML "ZipMap", NULL,
         GRAPH "const %x = f32[2,3] {1, 2, 3, 4, 5, 6}\nconst %one = i64[] {1}\n"
         "graph () {\n"
         "  %maps = ai.onnx.ml:ZipMap(%x) classlabels_strings=[\"a\",\"b\",\"c\"]\n"
         "  %map = SequenceAt(%maps, %one)\n"
         "  %y = ai.onnx.ml:DictVectorizer(%map) string_vocabulary=[\"c\",\"z\",\"a\"]\n"
         "  return %y\n"
         "}\n",
         "f32[1,3]=6,0,4"},
        {ML "CastMap", NULL,
         GRAPH "const %x = f32[1,2] {7.5, 8}\nconst %zero = i64[] {0}\n"
         "graph () {\n"
         "  %maps = ai.onnx.ml:ZipMap(%x) classlabels_int64s=3,1\n"
         "  %map = SequenceAt(%maps, %zero)\n"
         "  %dense = ai.onnx.ml:CastMap(%map)\n"
         "  %sparse = ai.onnx.ml:CastMap(%map) map_form=\"SPARSE\" max_map=4\n"
         "  %text = ai.onnx.ml:CastMap(%map) cast_to=\"TO_STRING\"\n"
         "  %read = ai.onnx.ml:LabelEncoder(%text) keys_strings=[\"7.500000\"] values_int64s=[1]\n"
         "  return %dense, %sparse, %read\n"
         "}\n",
         "f32[1,2]=8,7.5 f32[1,4]=0,8,0,7.5 i64[1,2]=-1,1"},
        {ML "TreeEnsembleClassifier", NULL,
         GRAPH "const %x = f32[2,1] {0, 1}\n"
         "graph () {\n"
         "  %label, %score = ai.onnx.ml:LinearClassifier(%x) coefficients=[1.0] intercepts=[-0.5f] "
         "classlabels_strings=[\"no\",\"yes\"]\n"
         "  %y = ai.onnx.ml:LabelEncoder(%label) keys_strings=[\"yes\"] values_int64s=[1]\n"
         "  return %y\n"
         "}\n",
         "i64[2]=-1,1"},
    };
    KERNEL_CHECK_ALL(*state, rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_comparisons, setup, teardown),
        cmocka_unit_test_setup_teardown(test_aggregates, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ensemble, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_trees, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tree_classes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_linear, setup, teardown),
        cmocka_unit_test_setup_teardown(test_svm, setup, teardown),
        cmocka_unit_test_setup_teardown(test_features, setup, teardown),
        cmocka_unit_test_setup_teardown(test_graphs, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
