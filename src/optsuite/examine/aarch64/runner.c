/* Runs a .tflite file with LiteRT on one thread, as `optsuite.litert.LiteRTRunner` does.
 *
 *   runner MODEL CALLS < inputs > outputs
 *   runner --version
 *
 * Standard input holds any number of inputs of the model, each as the bytes of its input tensors, in their order. The
 * model is called for each, and the bytes of its output tensors are written. Then it is called CALLS times more on the
 * last input, between two marks for `counter.c`. `--version` prints the version of the C library.
 *
 * Exit status: 1 if LiteRT can't run the model, 2 for anything else.
 */
#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MARK 900001

/* TensorFlow Lite's C interface, of which the wheel has no header. */
typedef struct TfLiteModel TfLiteModel;
typedef struct TfLiteInterpreterOptions TfLiteInterpreterOptions;
typedef struct TfLiteInterpreter TfLiteInterpreter;
typedef struct TfLiteTensor TfLiteTensor;
typedef struct TfLiteDelegate TfLiteDelegate;
TfLiteModel *TfLiteModelCreateFromFile(const char *path);
TfLiteInterpreterOptions *TfLiteInterpreterOptionsCreate(void);
void TfLiteInterpreterOptionsSetNumThreads(TfLiteInterpreterOptions *options, int threads);
void TfLiteInterpreterOptionsAddDelegate(TfLiteInterpreterOptions *options, TfLiteDelegate *delegate);
TfLiteDelegate *TfLiteXNNPackDelegateCreate(const void *options);
TfLiteInterpreter *TfLiteInterpreterCreate(const TfLiteModel *model, const TfLiteInterpreterOptions *options);
int TfLiteInterpreterAllocateTensors(TfLiteInterpreter *interpreter);
int TfLiteInterpreterInvoke(TfLiteInterpreter *interpreter);
int TfLiteInterpreterGetInputTensorCount(const TfLiteInterpreter *interpreter);
int TfLiteInterpreterGetOutputTensorCount(const TfLiteInterpreter *interpreter);
TfLiteTensor *TfLiteInterpreterGetInputTensor(const TfLiteInterpreter *interpreter, int index);
const TfLiteTensor *TfLiteInterpreterGetOutputTensor(const TfLiteInterpreter *interpreter, int index);
void *TfLiteTensorData(const TfLiteTensor *tensor);
size_t TfLiteTensorByteSize(const TfLiteTensor *tensor);

static void end(int status, const char *reason)
{
    fprintf(stderr, "%s\n", reason);
    exit(status);
}

/* With XNNPACK where it takes the graph, and without where it refuses, as LiteRT's Python interpreter does. */
static TfLiteInterpreter *opened(const TfLiteModel *model)
{
    for (int with_xnnpack = 1; with_xnnpack >= 0; with_xnnpack--) {
        TfLiteInterpreterOptions *options = TfLiteInterpreterOptionsCreate();
        TfLiteInterpreterOptionsSetNumThreads(options, 1);
        if (with_xnnpack)
            TfLiteInterpreterOptionsAddDelegate(options, TfLiteXNNPackDelegateCreate(NULL));
        TfLiteInterpreter *interpreter = TfLiteInterpreterCreate(model, options);
        if (interpreter && !TfLiteInterpreterAllocateTensors(interpreter))
            return interpreter;
    }
    return NULL;
}

/* Returns 0 at the end of standard input. */
static int inputs_read(const TfLiteInterpreter *interpreter)
{
    for (int i = 0; i < TfLiteInterpreterGetInputTensorCount(interpreter); i++) {
        TfLiteTensor *tensor = TfLiteInterpreterGetInputTensor(interpreter, i);
        size_t size = TfLiteTensorByteSize(tensor), got = fread(TfLiteTensorData(tensor), 1, size, stdin);
        if (i == 0 && got == 0)
            return 0;
        if (got != size)
            end(2, "standard input holds no whole number of inputs");
    }
    return 1;
}

static void invoke(TfLiteInterpreter *interpreter)
{
    if (TfLiteInterpreterInvoke(interpreter))
        end(1, "the call failed");
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "--version")) {
        puts(gnu_get_libc_version());
        return 0;
    }
    if (argc != 3)
        end(2, "expected a model and a number of calls");
    TfLiteModel *model = TfLiteModelCreateFromFile(argv[1]);
    TfLiteInterpreter *interpreter = model ? opened(model) : NULL;
    if (!interpreter)
        end(1, "the model can't be loaded");
    while (inputs_read(interpreter)) {
        invoke(interpreter);
        for (int i = 0; i < TfLiteInterpreterGetOutputTensorCount(interpreter); i++) {
            const TfLiteTensor *tensor = TfLiteInterpreterGetOutputTensor(interpreter, i);
            fwrite(TfLiteTensorData(tensor), 1, TfLiteTensorByteSize(tensor), stdout);
        }
    }
    if (fflush(stdout))
        end(2, "the outputs can't be written");
    close(MARK);
    for (int i = 0; i < atoi(argv[2]); i++)
        invoke(interpreter);
    close(MARK);
    return 0;
}
