#!/usr/bin/env python3
"""Writes the small cases of this folder, in f64, from the equations of the model family (HPT, arXiv 2409.20537).

    python3 make_cases.py            # needs numpy; rewrites the folders beside this file

Sizes are chosen where the reference cases are silent: three U-Net levels, odd widths, copies of a stem that differ,
segments of one row. Weights and inputs are rounded to f32 first, so that both sides start from the same numbers.
"""
import json
import math
import os
import struct

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
erf = np.vectorize(math.erf)
random = np.random.default_rng(20240609)


def write(path, tensors, metadata):
    header, offset, blobs = {"__metadata__": metadata}, 0, []
    for name in sorted(tensors):
        value = np.ascontiguousarray(tensors[name])
        kind = {"float32": "F32", "float64": "F64", "int64": "I64"}[value.dtype.name]
        blob = value.tobytes()
        header[name] = {"dtype": kind, "shape": list(value.shape), "data_offsets": [offset, offset + len(blob)]}
        offset += len(blob)
        blobs.append(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def save(case, weights, inputs, outputs, metadata, tolerance=4e-6):
    folder = os.path.join(HERE, case)
    os.makedirs(folder, exist_ok=True)
    write(os.path.join(folder, "weights.safetensors"), weights.values, {"case": case})
    tensors = {f"in.{k}": v for k, v in inputs.items()}
    tensors |= {f"out.{k}": v.astype(np.float32) for k, v in outputs.items()}
    tensors |= {f"ref64.{k}": v for k, v in outputs.items()}
    text = {k: v if isinstance(v, str) else json.dumps(v) for k, v in metadata.items()}
    text["case"] = case
    text["tol_rel_to_max"] = json.dumps({f"out.{k}": f"{tolerance:.1e}" for k in outputs})
    write(os.path.join(folder, "case.safetensors"), tensors, text)


def draw(*shape, scale=1.0):
    return (random.standard_normal(shape) * scale).astype(np.float32)


class Weights:
    """Draws each tensor when it is first asked for."""

    def __init__(self):
        self.values = {}

    def __call__(self, name, *shape, near=0.0, scale=None):
        if name not in self.values:
            fan = int(np.prod(shape[1:])) if len(shape) > 1 else 4
            self.values[name] = draw(*shape, scale=scale or 1 / math.sqrt(fan)) + np.float32(near)
        return self.values[name].astype(np.float64)

    def linear(self, name, x, out, bias=True):
        y = x @ self(name + ".weight", out, x.shape[-1]).T
        return y + self(name + ".bias", out) if bias else y

    def norm(self, name, x, eps):
        n = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps)
        return n * self(name + ".weight", x.shape[-1], near=1.0) + self(name + ".bias", x.shape[-1])

    def group_norm(self, name, x, groups):  # x (channels, time)
        c, t = x.shape
        g = x.reshape(groups, -1)
        g = (g - g.mean(-1, keepdims=True)) / np.sqrt(g.var(-1, keepdims=True) + 1e-5)
        return g.reshape(c, t) * self(name + ".weight", c, near=1.0)[:, None] + self(name + ".bias", c)[:, None]

    def conv(self, name, x, out, kernel, stride=1):  # x (channels, time), padding kernel // 2
        w, b, p = self(name + ".weight", out, x.shape[0], kernel), self(name + ".bias", out), kernel // 2
        padded = np.pad(x, ((0, 0), (p, p)))
        steps = range(0, padded.shape[1] - kernel + 1, stride)
        return np.stack([np.einsum("oik,ik->o", w, padded[:, t:t + kernel]) + b for t in steps], 1)

    def conv_transpose(self, name, x):  # kernel 4, stride 2, padding 1
        c, t = x.shape
        w, b = self(name + ".weight", c, c, 4), self(name + ".bias", c)
        full = np.zeros((c, 2 * t + 2))
        for i in range(t):
            full[:, 2 * i:2 * i + 4] += np.einsum("i,iok->ok", x[:, i], w)
        return full[:, 1:-1] + b[:, None]


def silu(x):
    return x / (1 + np.exp(-x))


def mish(x):
    return x * np.tanh(np.log1p(np.exp(x)))


def gelu(x):
    return x / 2 * (1 + erf(x / math.sqrt(2)))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sinusoid(positions, width):
    j = np.arange(width)
    angle = np.arange(positions)[:, None] / 10000.0 ** (2 * (j // 2) / width)
    return np.where(j % 2 == 0, np.sin(angle), np.cos(angle))


def mlp(w, prefix, x, widths, out, ln=False, dropout=False, tanh_end=False):
    number = 0
    for i, width in enumerate(widths):
        x = w.linear(f"{prefix}{number}", x, width)
        number += 1
        if i > 0:
            number += dropout
            if ln:
                x = w.norm(f"{prefix}{number}", x, 1e-5)
                number += 1
        x, number = silu(x), number + 1
    x = w.linear(f"{prefix}{number}", x, out)
    return np.tanh(x) if tanh_end else x


def attend(q, k, v, heads):
    d = q.shape[-1] // heads
    out = np.empty_like(q)
    for h in range(heads):
        s = slice(h * d, (h + 1) * d)
        out[:, s] = softmax(q[:, s] @ k[:, s].T / math.sqrt(d)) @ v[:, s]
    return out


def cross_attention(w, prefix, context, count, heads, dim):
    width, inner = context.shape[-1], heads * dim
    q = w.linear(prefix + "cross_attention.to_q", w(prefix + "tokens", 1, count, width, scale=1.0)[0], inner, False)
    kv = w.linear(prefix + "cross_attention.to_kv", context, 2 * inner, False)
    return w.linear(prefix + "cross_attention.to_out", attend(q, kv[:, :inner], kv[:, inner:], heads), width)


def stem(w, prefix, window, widths, tokens, width, heads, dim, ln=True, copies=1):  # window (time, …, features)
    x = window.reshape(-1, window.shape[-1]).astype(np.float64)
    x = x + sinusoid(*x.shape)
    if copies == 1:
        context = mlp(w, prefix + "net.", x, widths, width, ln)
    else:
        steps = x.reshape(window.shape[0], -1, x.shape[-1])[:copies]
        context = np.concatenate([mlp(w, f"{prefix}net.{i}.", s, widths, width, ln) for i, s in enumerate(steps)])
    return cross_attention(w, prefix, context, tokens, heads, dim)


def trunk(w, prefix, x, blocks, heads, ratio=4):
    e = x.shape[-1]
    for i in range(blocks):
        b = f"{prefix}blocks.{i}."
        n = w.norm(b + "norm_1", x, 1e-6)
        qkv = n @ w(b + "attn.in_proj_weight", 3 * e, e).T + w(b + "attn.in_proj_bias", 3 * e)
        k = np.concatenate([qkv[:, e:2 * e], w(b + "attn.bias_k", 1, 1, e)[0]])
        v = np.concatenate([qkv[:, 2 * e:], w(b + "attn.bias_v", 1, 1, e)[0]])
        x = x + w.linear(b + "attn.out_proj", attend(qkv[:, :e], k, v, heads), e)
        h = gelu(w.linear(b + "mlp.fc1", w.norm(b + "norm_2", x, 1e-6), ratio * e))
        x = x + w.linear(b + "mlp.fc2", h, e)
    return x


def unet(w, x, step, condition, dims, embed, kernel, groups):  # x (time, dof)
    f = np.exp(-np.arange(embed // 2) * math.log(10000) / (embed // 2 - 1))
    e = np.concatenate([np.sin(step * f), np.cos(step * f)])
    e = w.linear("model.diffusion_step_encoder.1", e, 4 * embed)
    e = w.linear("model.diffusion_step_encoder.3", mish(e), embed)
    g = mish(np.concatenate([e, condition]))

    def block(name, y, out, count):
        return mish(w.group_norm(name + ".1", w.conv(name + ".0", y, out, kernel), count))

    def residual(name, y, out):
        h = block(name + ".blocks.0.block", y, out, groups)
        film = w.linear(name + ".cond_encoder.1", g, 2 * out)
        h = block(name + ".blocks.1.block", film[:out, None] * h + film[out:, None], out, groups)
        return h + (y if y.shape[0] == out else w.conv(name + ".residual_conv", y, out, 1))

    y, kept, dof = x.T.astype(np.float64), [], x.shape[1]
    for i, width in enumerate(dims):
        y = residual(f"model.down_modules.{i}.0", y, width)
        y = residual(f"model.down_modules.{i}.1", y, width)
        kept.append(y)
        if i + 1 < len(dims):
            y = w.conv(f"model.down_modules.{i}.2.conv", y, width, 3, 2)
    for i in range(2):
        y = residual(f"model.mid_modules.{i}", y, dims[-1])
    for i, width in enumerate(reversed(dims[:-1])):
        y = residual(f"model.up_modules.{i}.0", np.concatenate([y, kept.pop()]), width)
        y = residual(f"model.up_modules.{i}.1", y, width)
        y = w.conv_transpose(f"model.up_modules.{i}.2.conv", y)
    y = block("model.final_conv.0.block", y, dims[0], 8)
    return w.conv("model.final_conv.1", y, dof, 1).T


def denoise(net, x, trained, count, fresh=None):
    """DDIM, or DDPM where `fresh` noise is given."""
    def a(u):
        return math.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2

    power = np.cumprod([1 - min(1 - a((i + 1) / trained) / a(i / trained), 0.999) for i in range(trained)])
    r, x = trained // count, x.astype(np.float64)
    for i, t in enumerate(range((count - 1) * r, -1, -r)):
        now, then = power[t], power[t - r] if t >= r else 1.0
        e = net(x, t)
        x0 = np.clip((x - math.sqrt(1 - now) * e) / math.sqrt(now), -1, 1)
        if fresh is None:
            x = math.sqrt(then) * x0 + math.sqrt(1 - then) * e
            continue
        b = 1 - now / then
        x = math.sqrt(then) * b / (1 - now) * x0 + math.sqrt(now / then) * (1 - then) / (1 - now) * x
        if t > 0:
            x = x + math.sqrt(max((1 - then) / (1 - now) * b, 1e-20)) * fresh[i]
    return x


def rows(function, *batches):
    return np.stack([function(*row) for row in zip(*batches)])


def make_stems():
    w, x = Weights(), draw(2, 4, 1, 5)
    save("stem_state_long", w, {"state": x},
         {"latent": rows(lambda s: stem(w, "", s, [9, 7, 11], 3, 12, 2, 5), x)},
         dict(widths=[9, 7, 11], ln=True, num_of_copy=1, num_latent_tokens=3, output_dim=12, crossattn_heads=2,
              crossattn_dim_head=5))
    w, x = Weights(), draw(1, 4, 2, 3, 6)
    save("stem_image_copies_differ", w, {"image": x},
         {"latent": rows(lambda s: stem(w, "", s, [8, 6], 4, 10, 1, 7, ln=False, copies=3), x)},
         dict(widths=[8, 6], ln=False, num_of_copy=3, num_latent_tokens=4, output_dim=10, crossattn_heads=1,
              crossattn_dim_head=7))


def make_heads():
    w, x = Weights(), draw(2, 3, 13)
    save("head_mlp_action_tokens", w, {"features": x},
         {"action": mlp(w, "net.", x.astype(np.float64), [11, 9, 8], 5, True, False, True)},
         dict(input_dim=13, output_dim=5, widths=[11, 9, 8], ln=True, dropout=False, tanh_end=True))
    w, x = Weights(), draw(2, 9, 7)
    save("head_conv1d_wide_kernel", w, {"features": x},
         {"action": rows(lambda f: w.conv("block_out.0", mish(w.group_norm("block_in.1", w.conv(
             "block_in.0", f.astype(np.float64), 12, 5), 3)), 4, 5).reshape(-1), x)},
         dict(input_dim=9, output_dim=28, action_horizon=7, widths=[12], kernel_size=5, n_groups=3))
    w, x = Weights(), draw(1, 4, 10)
    save("head_transformer_decoder_small", w, {"features": x},
         {"action": rows(lambda f: cross_attention(w, "", w.linear("mlp.2", silu(w.linear(
             "mlp.0", f.astype(np.float64), 15)), 10), 6, 2, 3).reshape(-1), x)},
         dict(input_dim=10, output_dim=10, action_horizon=6, crossattn_heads=2, crossattn_dim_head=3))

    def mixture(f):
        s = f.astype(np.float64)
        for i in range(3):
            s = np.maximum(w.linear(f"share.{2 * i}", s, 14), 0)
        s = w.linear("share.6", s, 14)
        means = np.tanh(w.linear("mean_layer", s, 4 * 6)).reshape(4, 6)
        w("logstd_layer.weight", 24, 14), w("logstd_layer.bias", 24)
        return softmax(w.linear("logits_layer", s, 4)) @ means

    w, x = Weights(), draw(2, 11)
    save("head_gmm_deep", w, {"features": x}, {"action": rows(mixture, x)},
         dict(input_dim=11, output_dim=6, hidden_size=14, num_layers=3, num_modes=4))


def make_diffusion():
    w, dims, embed = Weights(), [8, 8, 12], 6
    c, first, sample, fresh = draw(1, 6), draw(1, 8, 3), draw(2, 1, 8, 3), draw(5, 1, 8, 3)

    def net(x, t):
        return unet(w, x, t, c[0].astype(np.float64), dims, embed, 5, 4)

    steps = np.array([0, 41], np.int64)
    save("head_diffusion_three_levels", w,
         {"global_cond": c, "init_noise": first, "unet_sample": sample, "unet_timesteps": steps,
          "ddpm_step_noise": fresh},
         {"unet": np.stack([net(s[0], t)[None] for s, t in zip(sample, steps)]),
          "ddim_action": denoise(net, first[0], 50, 7)[None],
          "ddpm_action": denoise(net, first[0], 50, 5, fresh[:, 0].astype(np.float64))[None]},
         dict(action_dim=3, action_horizon=8, global_cond_dim=6, diffusion_step_embed_dim=embed, down_dims=dims,
              kernel_size=5, n_groups=4, num_inference_steps_ddim=7, num_inference_steps_ddpm=5,
              num_train_timesteps=50), tolerance=1e-5)


def make_trunk():
    w, x = Weights(), draw(5, 1, 18)
    save("trunk_one_row_each", w, {"tokens": x},
         {"tokens": rows(lambda t: trunk(w, "trunk.", t.astype(np.float64), 2, 3, 2), x)},
         dict(embed_dim=18, num_blocks=2, num_heads=3, mlp_ratio=2))


def make_policy():
    w, width, pooled = Weights(), 12, 2
    image, state = draw(1, 2, 1, 3, 5), draw(1, 2, 4)

    def act(im, st):
        at = "normalizer.worm.params_dict."
        scaled = st * w(at + "state.scale", 4, near=2.0) + w(at + "state.offset", 4)
        tokens = np.concatenate([
            stem(w, "stems.worm_state.", scaled[:, None], [6], 2, width, 2, 4),
            stem(w, "stems.worm_image.", im, [7], 3, width, 2, 4),
            w("action_tokens.worm", 1, pooled, width, scale=1.0)[0]])
        out = trunk(w, "trunk.trunk.", tokens + sinusoid(*tokens.shape), 1, 2)[-pooled:]
        action = mlp(w, "heads.worm.net.", out, [9, 8], 2 * 3, True, True, True).reshape(-1, 3)
        return (action - w(at + "action.offset", 3)) / w(at + "action.scale", 3, near=2.0)

    save("policy_two_tokens_two_actions", w, {"worm.image": image, "worm.state": state},
         {"worm.action": rows(act, image, state)},
         dict(embed=width, blocks=1, heads=2, lat_img=3, lat_state=2, ca_heads=2, ca_dim=4, F=5, V=1, N=3,
              img_widths=[7], st_widths=[6], head_widths=[9, 8], post="action_token", Ha=pooled, chunk=2,
              domains=[{"name": "worm", "Ds": 4, "Da": 3}], modalities=["state", "image"], observation_horizon=2,
              head="MLP(widths=head_widths, ln=True, dropout=True, tanh_end=True)"))


if __name__ == "__main__":
    for make in (make_stems, make_heads, make_diffusion, make_trunk, make_policy):
        make()
