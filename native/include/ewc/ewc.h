/*
 * ewc.h: the C ABI of ewc4j's kernels for Elastic Weight Consolidation (EWC) and AdamW. C11, no other header needed.
 *
 * Symbols: theta (parameters), anchor (parameters after the last task, theta*), fisher (diagonal F), gradient (g),
 * lambda (strength). penalty = 1/2 * sum F (anchor - theta)^2, before lambda; its gradient is lambda F (theta - anchor).
 *
 * The library owns nothing. Every buffer is the caller's; a verb is a function over addresses, never allocates device
 * or host memory, keeps no pointer after it returns, and may be called from several threads on disjoint buffers.
 *
 * Lists. Each tensor list is an array of segments, so a flat arena is a list of one and scattered tensors work alike.
 * The lists of one call have the same number of segments and, segment by segment, the same number of elements. Segments
 * are contiguous and aligned to their element. A segment of 0 elements may have a null address.
 * Dtypes may differ from list to list as each verb says; arithmetic is in f32, and what is written in 16 bit is rounded
 * once, to nearest even.
 *
 * Place. exec->device is -1 for the host, else a CUDA device number, and every array of the call, the structs read
 * through `ewc_adamw_values`, `lambda` pointers and results included, lies there. (ewc_list, its two arrays, ewc_matrix,
 * `offsets`, ewc_exec and ewc_adamw_options always lie on the host.) On a device the verbs are asynchronous on
 * exec->stream, neither wait nor read what lies there, and can be captured in a graph; a failure inside a kernel shows at
 * the caller's next wait.
 *
 * Determinism. The work is cut into chunks whose size never depends on threads or multiprocessors; each chunk leaves one
 * partial sum (in double) that is added in a fixed order, without atomics. Same input, same bits on one machine and
 * instruction set, for any thread count.
 * NaN and Inf propagate into whatever they touch, but for products with 0: the host may pass over a stretch of zeros, and there
 * a weight, scale or rate beyond f32 makes no NaN of a gradient of 0, nor a distance from the anchor of a fisher of 0.
 *
 * Errors. Every verb checks its arguments before it writes anything and returns a status; ewc_last_error() has the
 * message: verb, parameter, what was expected, what came. Null, negative, overflowing and misaligned arguments are refused,
 * and so is a call whose written memory (a list, a result, the workspace) overlaps anything else that it reads or writes,
 * the arrays of its lists, factors and offsets included; what is only read may overlap. That an address holds as many
 * bytes as the call says, no check can tell.
 *
 * Growth. Later versions add dtypes, flags and verbs, and members at the end of the structs that carry `struct_size`;
 * ewc_abi_version() goes up only when something that exists changes its meaning.
 */
#ifndef EWC_EWC_H
#define EWC_EWC_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define EWC_API __attribute__((visibility("default")))
#else
#define EWC_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define EWC_ABI_VERSION 1

typedef enum {
    EWC_OK = 0,
    EWC_INVALID_ARGUMENT = 1, /* the caller's mistake; nothing was written */
    EWC_UNSUPPORTED = 2,      /* understood, but not by this build or on this machine; nothing was written */
    EWC_OUT_OF_MEMORY = 3,
    EWC_CUDA = 4,             /* a CUDA call failed; the device can still be used */
    EWC_CUDA_FATAL = 5,       /* the CUDA context is lost; the process cannot use the device any more */
    EWC_INTERNAL = 6          /* a bug in this library */
} ewc_status;

/*
 * EWC_I16_BLOCK256: 16 bits an element and one step for each 256. A segment of n elements is n int16 levels, then, from
 * the next multiple of 4 bytes on, (n + 255) / 256 f32 steps; element i is level[i] * step[i / 256]. A segment's address
 * is a multiple of 4, and ewc_segment_bytes gives its size. The step is the largest magnitude of the block over 32767, so
 * an element is off by at most half a step; a block that holds NaN or Inf reads as NaN, one all below 1e-30 as 0.
 * Levels are -32767 to 32767.
 *
 * EWC_U8_BLOCK256: 8 bits an element and one scale for each 256, for what is never negative, as a Fisher is: n uint8 levels,
 * then, from the next multiple of 4 bytes on, (n + 255) / 256 f32 scales; element i is level[i]^2 * scale[i / 256], and the
 * scale the largest of the block over 65025. The levels are those of the root, so that small elements beside large ones keep
 * their size: a root is off by at most 1/510 of the block's largest root. Addresses, NaN, Inf and blocks below 1e-30 as
 * above; an element below 0 reads as 0.
 */
typedef enum {
    EWC_F32 = 0,
    EWC_F16 = 1,
    EWC_BF16 = 2,
    EWC_I16_BLOCK256 = 3,
    EWC_U8_BLOCK256 = 4,
    EWC_NO_DTYPE = -0x7fffffff - 1 /* none: with it any int is a value of this type, and a wrong one can be refused */
} ewc_dtype;

/* Where and how a verb runs. */
typedef struct {
    int32_t device;  /* -1: host; else a CUDA device number */
    int32_t threads; /* host: OpenMP threads, 1 to 4096; 0: what OpenMP would take. Of a device only checked */
    void* stream;    /* device: a cudaStream_t. Ignored on the host */
} ewc_exec;

/* A list of segments, one dtype. Read during the call only. */
typedef struct {
    int64_t count;        /* segments, 0 or more */
    const int64_t* numel; /* [count] elements of each segment, 0 or more */
    void* const* data;    /* [count] addresses */
    ewc_dtype dtype;
} ewc_list;

/* A row-major matrix, read during the call only. Its number of rows is said by the verb. */
typedef struct {
    const void* data; /* address of the first element, aligned to it */
    int64_t columns;  /* 0 or more */
    int64_t stride;   /* elements from a row to the next, `columns` or more */
    ewc_dtype dtype;
} ewc_matrix;

/* Flag of ewc_fisher_accumulate and ewc_adamw_step. */
#define EWC_ZERO_GRADIENT 1u /* set the gradient to zero in the same pass: 4 bytes an element more */

/* Flag of ewc_adamw_step. */
#define EWC_PROXIMAL 32u /* the penalty is no gradient, but pulls theta towards the anchor behind the step */

/* Never NULL: the message of the last call on this thread that did not return EWC_OK, or "". Valid until the next. */
EWC_API const char* ewc_last_error(void);

/* EWC_ABI_VERSION of the library that was loaded. */
EWC_API int32_t ewc_abi_version(void);

/*
 * Which instruction set the host verbs use on this machine: "avx512", "avx2", "neon" or "portable". The best there is,
 * unless the environment variable EWC_INSTRUCTION_SET names a lesser one before the first call (for reproducing another
 * machine's bits; a set that this CPU lacks is ignored).
 */
EWC_API const char* ewc_host_instruction_set(void);

/*
 * Loads libewc_cuda.so from beside this library, where that was not done yet, and counts devices into *count (0 where
 * the call fails). EWC_UNSUPPORTED, with the reason, where there is no such library, no driver or no device.
 */
EWC_API ewc_status ewc_cuda_device_count(int32_t* count);

/*
 * A named range on the time line of NVIDIA's profilers (NVTX), from push to the pop of the same thread. Nothing happens
 * where libewc_cuda.so is not beside this library, or while no profiler listens.
 * name: UTF-8, read during the call; NULL is ignored, and has no pop.
 */
EWC_API void ewc_range_push(const char* name);
EWC_API void ewc_range_pop(void);

/*
 * Opens and closes the capture of NVIDIA's profilers (cudaProfilerStart and cudaProfilerStop), for a profiler that was told
 * to wait for it; without a profiler nothing happens. Not a verb: each waits for all work on the device first, so that what
 * came before is left out and what came since is in. device: a CUDA device number. EWC_UNSUPPORTED, with the reason, where
 * ewc_cuda_device_count gives one.
 */
EWC_API ewc_status ewc_profiler_start(int32_t device);
EWC_API ewc_status ewc_profiler_stop(int32_t device);

/* Bytes of a segment of numel elements, steps and scales of blocks included; -1 for a dtype that is none, numel < 0 or beyond
   INT64_MAX / 8. */
EWC_API int64_t ewc_segment_bytes(ewc_dtype dtype, int64_t numel);

/*
 * destination = source, element by element, any dtype to any: f32 to bf16 or to EWC_I16_BLOCK256, say, or back. Bytes
 * moved: those of both (8 an element from f32 to f32, 6 from or to 16 bit, 5 from or to 8 bit). No workspace.
 */
EWC_API ewc_status ewc_convert(const ewc_exec* exec, const ewc_list* destination, const ewc_list* source);

/*
 * fisher += weight * gradient^2, element by element. fisher f32, as squares far below what is there would be lost in 16
 * bits; gradient f32, f16 or bf16, zeroed with EWC_ZERO_GRADIENT. weight: finite. Bytes moved: 12 an element (16 when
 * zeroing), 10 (12) with a gradient in 16 bit. No workspace.
 */
EWC_API ewc_status ewc_fisher_accumulate(const ewc_exec* exec, const ewc_list* fisher, const ewc_list* gradient,
                                         double weight, uint32_t flags);

/* Workspace of ewc_fisher_accumulate_linear for the same arguments, in bytes. */
EWC_API ewc_status ewc_fisher_accumulate_linear_workspace(const ewc_exec* exec, const ewc_matrix* left,
                                                          const ewc_matrix* right, const int64_t* offsets,
                                                          int64_t examples, size_t* bytes);

/*
 * The empirical Fisher of a linear layer, example by example, without a gradient for each:
 *   fisher[r][c] += weight * sum over examples n of (sum over positions p of n of left[p][r] * right[p][c])^2
 * left: positions x rows of fisher; right: positions x columns of fisher; fisher: f32, row-major, contiguous,
 * left->columns x right->columns. For a weight of shape (out, in), left is the gradient of the loss with respect to the
 * layer's outputs and right the layer's inputs; for one of shape (in, out), the other way round. The inner sum is then the
 * gradient of example n. right NULL, for a bias, is a column of ones: fisher[r] += weight * sum_n (sum_p left[p][r])^2.
 *
 * Positions offsets[n] to offsets[n + 1] - 1 belong to example n; offsets: [examples + 1], from 0 or more, never falling; an
 * example may have no position. left and right have offsets[examples] rows or more, f32 or bf16, both the same; those
 * before offsets[0] are not looked at. A position whose row of left is zero throughout contributes nothing, whatever right
 * holds there. weight: finite.
 *
 * Inner sums are in f32, position by position; so are the sums of squares, in the order of the examples, cut into runs
 * that `offsets` and the rows of zeros alone decide. 2 rows x columns x positions operations, those of the ordinary weight
 * gradient, and two for each element of fisher and example. Bytes moved: 8 an element of fisher, and the matrices.
 * Source: Kirkpatrick et al. 2017, equation 3, with F the mean of squared per-example gradients (the empirical Fisher);
 * a linear layer's per-example gradient as a product of two small matrices: Goodfellow 2015, "Efficient per-example
 * gradient computations"; its second moment: Dangel, Kunstner and Hennig 2020, "BackPACK", appendix A.
 */
EWC_API ewc_status ewc_fisher_accumulate_linear(const ewc_exec* exec, float* fisher, const ewc_matrix* left,
                                                const ewc_matrix* right, const int64_t* offsets, int64_t examples,
                                                double weight, void* workspace, size_t workspace_bytes);

/*
 * fisher = retain * fisher + weight * new_fisher; new_fisher NULL: fisher = retain * fisher. Each f32 or bf16, new_fisher
 * EWC_U8_BLOCK256 too: a Fisher kept in few bits is accumulated in an f32 list of its own, into which this verb merges what
 * was kept, for ewc_convert to keep. retain and weight finite. A retain of 0
 * replaces: what fisher held, NaN included, is gone; likewise a weight of 0 ignores new_fisher.
 * Bytes moved: 12 an element (8 without new_fisher), 8 with fisher in bf16 and new_fisher in f32. No workspace.
 */
EWC_API ewc_status ewc_fisher_merge(const ewc_exec* exec, const ewc_list* fisher, const ewc_list* new_fisher,
                                    double retain, double weight);

/*
 * fisher = max(fisher, new_fisher), element by element. Dtypes as in ewc_fisher_merge; NaN in either stays. Bytes moved: 12 an element,
 * 8 with fisher in bf16 and new_fisher in f32. No workspace.
 */
EWC_API ewc_status ewc_fisher_max(const ewc_exec* exec, const ewc_list* fisher, const ewc_list* new_fisher);

/*
 * The anchors of several tasks as one. With F and a (the Fisher and anchor held so far), F_k and theta (the new task's):
 *   1/2 sum F (x - a)^2 + 1/2 sum F_k (x - theta)^2 = 1/2 sum (F + F_k) (x - b)^2 + c   for every x, where
 *   b = (F a + F_k theta) / (F + F_k), theta where F + F_k = 0, and c = 1/2 sum F F_k / (F + F_k) (a - theta)^2.
 * (Kirkpatrick et al. 2017 with an anchor for each task, whatever their number, in two arrays and a number.)
 *
 * In place, where F_k is not there yet: ewc_anchor_displace; then add F_k to fisher; then ewc_anchor_restore. c is the
 * energy that displace reduced less that of restore. Without anything added between, restore undoes displace. All lists
 * f32. Where fisher is 0, displace leaves 0 and restore leaves theta.
 *   displace:  anchor = fisher (anchor - theta);  *energy = 1/2 sum anchor^2 / fisher, with the new anchor
 *   restore:   *energy = 1/2 sum anchor^2 / fisher;  anchor = theta + anchor / fisher
 *
 * In one pass, where F_k is there: ewc_anchor_merge; *energy is c. theta and new_fisher f32; anchor f32, f16, bf16 or
 * EWC_I16_BLOCK256; fisher f32 or bf16. anchor is left as it came, as a segment in 16 bit is best written by ewc_convert:
 *   merge:     fisher = fisher + new_fisher;  new_fisher = b
 *
 * Terms with a Fisher of 0 are 0; terms are made and summed in double. energy may not be NULL. Bytes moved: 16 an element
 * each, merge 24, less 2 for anchor in 16 bit and 4 for fisher in bf16.
 */
EWC_API ewc_status ewc_anchor_displace(const ewc_exec* exec, const ewc_list* anchor, const ewc_list* theta,
                                       const ewc_list* fisher, double* energy, void* workspace,
                                       size_t workspace_bytes);
EWC_API ewc_status ewc_anchor_restore(const ewc_exec* exec, const ewc_list* anchor, const ewc_list* theta,
                                      const ewc_list* fisher, double* energy, void* workspace,
                                      size_t workspace_bytes);
EWC_API ewc_status ewc_anchor_merge(const ewc_exec* exec, const ewc_list* anchor, const ewc_list* theta,
                                    const ewc_list* fisher, const ewc_list* new_fisher, double* energy,
                                    void* workspace, size_t workspace_bytes);

/* Workspace of ewc_anchor_displace, ewc_anchor_restore and ewc_anchor_merge for lists cut like `theta`, in bytes. */
EWC_API ewc_status ewc_anchor_workspace(const ewc_exec* exec, const ewc_list* theta, size_t* bytes);

/* Workspace of ewc_penalty for lists cut like `theta`, in bytes. */
EWC_API ewc_status ewc_penalty_workspace(const ewc_exec* exec, const ewc_list* theta, size_t* bytes);

/*
 * *penalty = 1/2 sum f fisher (anchor - theta)^2, and where gradient is given: gradient += *lambda f fisher (theta - anchor).
 * f is the segment's of segment_lambda ([theta->count] factors, >= 0, on the host), or 1 where that is NULL.
 * theta f32; anchor f32, f16, bf16 or EWC_I16_BLOCK256; fisher f32, bf16 or EWC_U8_BLOCK256; gradient f32, f16 or bf16. penalty may be
 * NULL where gradient is given; lambda may be NULL where gradient is not. Bytes moved: 12 an element for the value alone,
 * 20 with the gradient, less 2 for each 16-bit list that is read and 4 for a 16-bit gradient. Terms are summed in double.
 */
EWC_API ewc_status ewc_penalty(const ewc_exec* exec, const ewc_list* theta, const ewc_list* anchor,
                               const ewc_list* fisher, const ewc_list* gradient, const double* lambda,
                               const double* segment_lambda, double* penalty, void* workspace, size_t workspace_bytes);

/* Workspace of ewc_norm for lists cut like `gradient`, in bytes. */
EWC_API ewc_status ewc_norm_workspace(const ewc_exec* exec, const ewc_list* gradient, size_t* bytes);

/*
 * *norm_squared = sum gradient^2; where theta, anchor, fisher and lambda are given (all or none):
 * sum (gradient + *lambda f fisher (theta - anchor))^2, f as in ewc_penalty. Dtypes as there; squares and sums in double, so that a norm
 * beyond the range of f32 does not overflow. Bytes moved: 4 an element, 16 with the penalty gradient, less 2 for each
 * 16-bit list.
 */
EWC_API ewc_status ewc_norm(const ewc_exec* exec, const ewc_list* gradient, const ewc_list* theta,
                            const ewc_list* anchor, const ewc_list* fisher, const double* lambda,
                            const double* segment_lambda, double* norm_squared, void* workspace,
                            size_t workspace_bytes);

/* What stays the same over a run. On the host, the arrays included. */
typedef struct {
    size_t struct_size;  /* sizeof(ewc_adamw_options) as the caller compiled it; 40, up to weight_decay, and 64, up to
                            theta_copy, are taken too */
    double beta1;        /* [0, 1) */
    double beta2;        /* [0, 1) */
    double epsilon;      /* >= 0 */
    double weight_decay; /* >= 0, decoupled */
    const double* segment_learning_rate; /* [theta->count] factors, >= 0, of learning_rate; NULL: 1 for all */
    const double* segment_weight_decay;  /* [theta->count] in place of weight_decay, >= 0; NULL: weight_decay for all */
    const ewc_list* theta_copy; /* bf16 or f16, cut like theta: receives theta after the step, rounded; NULL: none */
    const double* segment_lambda; /* [theta->count] factors f, >= 0, of lambda; NULL: 1 for all */
} ewc_adamw_options;

/* What changes from step to step; read where the data lies, so that a captured graph replays. */
typedef struct {
    int64_t step;          /* from 1, for the bias correction; 0: the update is skipped. Below 0: refused on the host,
                              skipped on a device */
    double learning_rate;
    double lambda;
    double gradient_scale; /* multiplies the gradient: clipping of the language-model gradient, loss scaling */
    double penalty_scale;  /* multiplies lambda F (theta - anchor): clipping of the total; not with EWC_PROXIMAL */
} ewc_adamw_values;

/* What the step reduced on its way; written where the data lies. */
typedef struct {
    double penalty;                       /* 1/2 sum f F (anchor - theta)^2 at theta before the step; 0 without F */
    double gradient_norm_squared;         /* sum g^2, before gradient_scale */
    double displacement_norm_squared;     /* sum (f F (theta - anchor))^2 there, before lambda: lambda times its root is the
                                             norm of the penalty's gradient, whether the step takes that or is proximal;
                                             0 without F */
} ewc_adamw_statistics;

/* Workspace of ewc_adamw_step for lists cut like `theta`, in bytes. */
EWC_API ewc_status ewc_adamw_step_workspace(const ewc_exec* exec, const ewc_list* theta, size_t* bytes);

/*
 * One AdamW step (Loshchilov and Hutter 2019, as PyTorch computes it) with the EWC penalty folded in:
 *   g      = gradient_scale * gradient + penalty_scale * lambda * f * fisher * (theta - anchor)
 *   theta *= 1 - learning_rate * weight_decay
 *   m     += (1 - beta1) (g - m);   v = beta2 v + (1 - beta2) g^2
 *   theta -= learning_rate / (1 - beta1^step) * m / (sqrt(v / (1 - beta2^step)) + epsilon)
 * where learning_rate, weight_decay and f are the segment's, if options names such; otherwise f is 1.
 * With EWC_PROXIMAL g = gradient_scale * gradient, and behind that update
 *   theta += w (anchor - theta);   w = s lambda f fisher / (1 + s lambda f fisher)
 *   s      = learning_rate / (sqrt(v / (1 - beta2^step)) + epsilon), with the new v
 * the exact minimum of lambda f/2 fisher (x - anchor)^2 + (x - theta)^2 / (2 s) over x: AdamW's step by the gradient, an
 * implicit one by the penalty in the same metric (a proximal step: Parikh and Boyd 2014, "Proximal algorithms", 4.2; with a
 * preconditioner's diagonal: Duchi, Hazan and Singer 2011). w is from 0 to 1 whatever lambda is: learning_rate * lambda * f
 * beyond f32's range counts as its largest number, and no finite lambda and fisher make a NaN; an element whose fisher is 0
 * gets the bits of plain AdamW, where its anchor is finite.
 * theta, first_moment m, second_moment v: f32; gradient f32, f16 or bf16; fisher f32, bf16 or EWC_U8_BLOCK256; anchor f32,
 * f16, bf16 or EWC_I16_BLOCK256. fisher and anchor are both given or both NULL (plain AdamW). gradient is left as it came, or zeroed
 * with EWC_ZERO_GRADIENT. statistics may be NULL.
 * A step of 0 updates nothing: theta, the moments and theta_copy keep their bits, whatever the gradient holds; statistics
 * are reduced and the gradient is zeroed as in any other. So whoever writes the values, a kernel before this one on a
 * device, say, skips a step whose norm is not finite without the host's knowledge.
 * Bytes moved: 28 an element, 36 with fisher and anchor; 4 more when zeroing, 2 more for theta_copy, 2 less for each
 * list in 16 bit.
 */
EWC_API ewc_status ewc_adamw_step(const ewc_exec* exec, const ewc_list* theta, const ewc_list* first_moment,
                                  const ewc_list* second_moment, const ewc_list* gradient, const ewc_list* fisher,
                                  const ewc_list* anchor, const ewc_adamw_options* options,
                                  const ewc_adamw_values* values, uint32_t flags, ewc_adamw_statistics* statistics,
                                  void* workspace, size_t workspace_bytes);

/* Flags of ewc_adamw_prepare. */
#define EWC_CLIP_TOTAL 8u      /* the norm is that of the total: the penalty's gradient is scaled too */
#define EWC_SKIP_NONFINITE 16u /* a norm that is not finite leaves the step out */

/*
 * Decides from a norm what the step after it does, where the data lies, so that nobody waits for the norm. Clips as
 * PyTorch's clip_grad_norm_ does:
 *   scale = min(1, clip_norm / (sqrt(*norm_squared) + 1e-6));   values->gradient_scale *= scale, and with EWC_CLIP_TOTAL
 *   values->penalty_scale *= scale
 * and with EWC_SKIP_NONFINITE leaves out the step whose norm is not finite: values->step = 0, ++*skipped; of any other
 * values->step -= *skipped, so that it comes in as the count of all steps and goes out as that of the updates.
 * clip_norm: above 0; INFINITY: no clipping. skipped: int64 of the caller's, over the run; may be NULL without the flag.
 */
EWC_API ewc_status ewc_adamw_prepare(const ewc_exec* exec, const double* norm_squared, double clip_norm, uint32_t flags,
                                     int64_t* skipped, ewc_adamw_values* values);

/* Flags of ewc_cross_entropy. */
#define EWC_LOGITS_TO_GRADIENT 2u /* the logits become the loss's gradient, times *scale; else they are only read */
#define EWC_ADD_LOSS 4u           /* *loss += instead of =, so that runs of rows add up without anyone waiting */

/* Workspace of ewc_cross_entropy for that many rows, in bytes. */
EWC_API ewc_status ewc_cross_entropy_workspace(const ewc_exec* exec, int64_t rows, size_t* bytes);

/*
 * The negative log-likelihood of a target in each row under the softmax of its logits, summed over the rows:
 *   *loss = sum over rows r of log(sum over columns c of exp(logits[r][c])) - logits[r][targets[r]]
 * and with EWC_LOGITS_TO_GRADIENT the gradient of *scale times that, in place of the logits:
 *   logits[r][c] = *scale * (softmax(logits[r])[c] - (c == targets[r] ? 1 : 0))
 * logits: rows x columns, row-major, contiguous, f32, f16 or bf16, aligned to the element. targets: int64[rows], aligned,
 * each from 0, below columns: on the host refused elsewise; on a device, where nobody looks beforehand, such a row's loss
 * and gradient are NaN. scale: 1 / scored positions, say, times a loss scale; NULL without EWC_LOGITS_TO_GRADIENT. rows: 0,
 * where the loss is 0, to 2^31 - 1; columns: 1 to 2^31 - 1. In 16 bit a gradient below the dtype's least number is 0:
 * choose the scale by it. logits, targets and loss do not overlap.
 *
 * Exponentials are of logits[r][c] less the row's largest, a difference in f32, to 2 units in the last place, and summed
 * in double; each row's loss is in double. A row with a NaN or with Inf, or with -Inf alone, has the loss NaN; -Inf beside finite logits is
 * a probability of 0. Bytes moved: 4 an element for the value, 8 with the gradient; half in 16 bit. (A row is read twice or
 * thrice, but of a vocabulary's size it waits in the cache.)
 */
EWC_API ewc_status ewc_cross_entropy(const ewc_exec* exec, void* logits, ewc_dtype dtype, int64_t rows, int64_t columns,
                                     const int64_t* targets, const double* scale, uint32_t flags, double* loss,
                                     void* workspace, size_t workspace_bytes);

/*
 * A linear layer of few rows and a large weight, as a vocabulary's projection of a batch's answers is: y = x weight^T. A general
 * product copies both factors first, which then costs more than the arithmetic; here the weight is read once, as it
 * lies. From some 32 to 64 rows on a general product is the faster. On the host only: elsewhere EWC_UNSUPPORTED.
 * x: rows x in; weight: out x in; y: rows x out; all f32, row-major, contiguous, aligned to the element. rows: 0 to 2^31 - 1;
 * out, in: 1 to 2^31 - 1; at most 2^38 elements a matrix. Sums are in f32, over `in` in as many interleaved parts as
 * the instruction set has lanes. Bytes moved: 4 an element of the weight, and those of x and y.
 */
EWC_API ewc_status ewc_linear(const ewc_exec* exec, const float* x, const float* weight, int64_t rows, int64_t out,
                              int64_t in, float* y);

/* A flag of ewc_linear_backward. */
#define EWC_ADD_WEIGHT_GRADIENT 64u /* weight_gradient += instead of = */

/* Workspace of ewc_linear_backward, in bytes: 4 rows in for each 1,056 of `out`, and some panels for each thread. */
EWC_API ewc_status ewc_linear_backward_workspace(const ewc_exec* exec, int64_t rows, int64_t out, int64_t in,
                                                 size_t* bytes);

/*
 * The gradients of that layer:
 *   x_gradient = gradient weight;   weight_gradient = gradient^T x
 * gradient: of y, rows x out; x_gradient: rows x in, summed in f32 over 1,056 of `out` at a time; weight_gradient: out x in, or
 * NULL: not formed. x, weight and all else as in ewc_linear. Bytes moved: 8 an element of the weight, 12 with the flag, 4
 * without weight_gradient, which where its rows fill whole lines of the cache is written past it.
 */
EWC_API ewc_status ewc_linear_backward(const ewc_exec* exec, const float* gradient, const float* x, const float* weight,
                                       int64_t rows, int64_t out, int64_t in, uint32_t flags, float* x_gradient,
                                       float* weight_gradient, void* workspace, size_t workspace_bytes);

#ifdef __cplusplus
}
#endif
#endif
