/* limits.h - everything that a file or a user can make large, by name.
 * Reaching one is RG_LIMIT, exit code 5. */
#ifndef RG_LIMITS_H
#define RG_LIMITS_H

enum {
    RG_RANK_MAX       = 8,        /* dimensions of a tensor; the ONNX backend suite stays below */
    RG_NEST_MAX       = 32,       /* depth of nested subgraphs, types, function calls, JSON */
    RG_NODE_MAX       = 4000000,  /* nodes of a model, functions expanded */
    RG_VALUE_MAX      = 8000000,
    RG_ATTR_MAX       = 4096,     /* attributes of one node */
    RG_IO_MAX         = 65536,    /* inputs or outputs of one node or graph */
    RG_IMPORT_MAX     = 256,      /* opset imports of a model or function */
    RG_UNFOLD_BYTE    = 2097152,  /* what calls of model-local functions unfold to: bytes, beside ... */
    RG_UNFOLD_FACTOR  = 8,        /* ... this many times the file */
    RG_NAME_MAX       = 65536,    /* bytes of one name */
    RG_KNOWN_MAX      = 4096,     /* elements of an integer tensor followed through shape inference */
    RG_DIM_EXPR_MAX   = 1000000,  /* distinct symbolic expressions of a graph */
    RG_PROFILE_MAX    = 1048576,  /* bytes of a device or runtime profile */
    RG_DATA_MAX       = 8388608,  /* bytes of any other file of data/ */
    RG_HF_CONFIG_MAX  = 1048576,  /* bytes of a config.json */
    RG_HF_INDEX_MAX   = 67108864, /* bytes of an index of checkpoint files */
    RG_HF_SIZE_MAX    = 1 << 28,  /* of one size of a configuration; products of two stay below 2^63 */
    RG_HF_LAYER_MAX   = 4096,     /* layers of a language model */
    RG_PARALLEL_MAX   = 65536,    /* devices that share a model, replicas counted */
    RG_HF_SIDE_MAX    = 65536,    /* pixels of a side of a model's images */
    RG_PATH_LIMIT     = 4096,
    RG_CHANGE_ROWS    = 64,       /* rows that one path of a what-if may name: peaks of a type over engines */
    RG_RANGE_MAX      = 4096,     /* sizes or clocks of one range */
    RG_STUDY_MAX      = 4000000,  /* forecasts of one study */
    RG_TABLE_BYTE_MAX = 1 << 30,  /* of text in a file of measurements */
    RG_PICTURE_PIXEL_MAX = 1 << 26, /* pixels of an encoded picture: 8192 x 8192 */
    RG_READING_MAX    = 4000000,  /* records of measurements in one file, or in several that are merged */
    RG_READINGS_BYTE_MAX = 1 << 30, /* of a file of them */
    RG_NPY_HEADER_MAX = 65535,    /* bytes of the header of an .npy file: what its version 1 can state */
    RG_SAFETENSORS_HEADER_MAX = 100000000, /* bytes, as the format itself has it */
    RG_WEIGHT_MAX     = 4000000,  /* tensors of a model's files; DeepSeek-V3 has 92 thousand */
    RG_WEIGHT_FILE_MAX = 65536,   /* files of one model */
    RG_WEIGHT_RANK_MAX = 16,      /* dimensions of a tensor in them */
    RG_WEIGHT_FACT_MAX = 65536,   /* lines of their metadata */
    RG_WEIGHT_LIST_MAX = 4096,    /* numbers of a list among these that are kept: one for each layer */
    RG_SERVING_MAX    = 4000000,  /* requests of one simulation, or of one trace */
    RG_TRACE_BYTE_MAX = 1 << 30,  /* of a file of them */
    RG_REQUEST_MAX    = 1 << 22,  /* tokens of a prompt or of an output of one */
    RG_BATCH_MAX      = 65536,    /* sequences in one batch of a simulation */
    RG_IMAGE_MAX      = 65536,    /* images that a pipeline makes at once */
    RG_BUCKET_MAX     = 64,       /* shapes that one is padded to */
    RG_LEVEL_LIMIT    = 8,        /* memory levels of a device that the mapping follows */
};

/* Activations of a plan: more than any machine has, and sums stay below 2^63. */
#define RG_BLOCK_BYTE_MAX 1e18

#endif
