"""Known answers: whether the kernels compute on this processor what their definitions say."""
