package org.ewc4j.model;

import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Generator;
import org.bytedeco.pytorch.GeneratorOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.ewc4j.tensor.Arena;
import org.ewc4j.tensor.ParameterLayout.Parameter;

/**
 * Starts a model at random as transformers' {@code _init_weights} does: normal weights, zero biases, unit norms, a zero
 * row for the padding token. Drawn by a generator of its own, parameter by parameter, so that a seed gives the same model
 * always.
 */
final class RandomInit {
    private RandomInit() {}

    static void fill(Arena theta, Architecture architecture, long seed) {
        try (PointerScope scope = new PointerScope();
                NoGradGuard guard = new NoGradGuard()) {
            Generator generator = torch.createCPUGenerator(seed);
            GeneratorOptional argument = new GeneratorOptional(generator);
            for (Parameter parameter : theta.layout().parameters()) {
                Tensor view = theta.view(parameter);
                Architecture.Init init =
                        architecture.parameters().get(parameter.name()).init();
                if (init instanceof Architecture.Init.Normal normal) {
                    // Drawn on the CPU wherever θ lies: the same model of a seed on every device.
                    Tensor drawn = theta.device().isCuda() ? torch.empty(parameter.shapeArray()) : view;
                    drawn.normal_(0, normal.deviation(), argument);
                    if (drawn != view) {
                        view.copy_(drawn);
                    }
                } else if (init instanceof Architecture.Init.Constant constant) {
                    view.fill_(new Scalar(constant.value()));
                }
            }
            if (architecture.paddingIndex() >= 0) {
                theta.view(theta.layout().get(architecture.inputEmbedding()))
                        .select(0, architecture.paddingIndex())
                        .zero_();
            }
        }
    }
}
