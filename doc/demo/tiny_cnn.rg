ridge.graph/1 "tiny_cnn" opset 17 ir 8 producer "ridge"
import "" 17
symbol batch = 1 from 1
const %conv1.weight = f32[16,3,3,3] none
const %conv1.bias = f32[16] none
const %conv2.weight = f32[32,16,3,3] none
const %conv2.bias = f32[32] none
const %fc.weight = f32[10,32] none
const %fc.bias = f32[10] none
graph (%image: f32[batch,3,32,32]) {
  %c1 = Conv(%image, %conv1.weight, %conv1.bias) kernel_shape=3,3 pads=1,1,1,1 @conv1
  %r1 = Relu(%c1) @relu1
  %p1 = MaxPool(%r1) kernel_shape=2,2 strides=2,2 @pool1
  %c2 = Conv(%p1, %conv2.weight, %conv2.bias) kernel_shape=3,3 pads=1,1,1,1 @conv2
  %r2 = Relu(%c2) @relu2
  %p2 = GlobalAveragePool(%r2) @pool2
  %f = Flatten(%p2) @flatten
  %logits = Gemm(%f, %fc.weight, %fc.bias) transB=1 @fc
  return %logits
}
