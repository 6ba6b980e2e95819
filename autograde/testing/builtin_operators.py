"""Names of torch's own operators for what an exercise asks to be written, for `contract.written_by_hand`.

`aten::name` is an operator as torch dispatches it; a dotted name is a Python function that has no operator of its own;
`autograd` is `.backward()`, `torch.autograd.grad` and all that uses them.

Example:
    # In the notebook
    def swish(x):
        return x / (1 + torch.exp(-x))

    # In the hidden test
    @check(points=0, examples=1)
    @given(tensors((4,)))
    def test_by_hand(student, x):
        '''SiLU is written by hand, without torch's own or autograd'''
        without = [*builtin_operators.SILU, *builtin_operators.AUTOGRAD]
        contract.written_by_hand(student.swish, x, without=without, rule="Write x times the sigmoid of x.")
"""

AUTOGRAD = ("autograd",)
ATTENTION = (
    "aten::scaled_dot_product_attention",
    "aten::_scaled_dot_product_attention_math",
    "aten::_scaled_dot_product_flash_attention",
    "aten::_scaled_dot_product_flash_attention_for_cpu",
    "aten::_scaled_dot_product_efficient_attention",
    "aten::_scaled_dot_product_cudnn_attention",
    "aten::_native_multi_head_attention",
    "aten::_transformer_encoder_layer_fwd",
    "torch.nn.functional.multi_head_attention_forward",
    "torch.nn.attention.flex_attention.flex_attention",
)
RMS_NORM = ("aten::rms_norm", "aten::_fused_rms_norm")
LAYER_NORM = ("aten::layer_norm", "aten::native_layer_norm")
SILU = ("aten::silu", "aten::silu_", "aten::swish")
SILU_BACKWARD = ("aten::silu_backward",)
