#include "bench/bare_product.hpp"

#include <algorithm>
#include <cmath>
#include <random>

namespace cambium::bench {
namespace {

using dnnl::memory;
using Type = memory::data_type;
using Tag = memory::format_tag;

const char* name_of(Type type) {
  switch (type) {
    case Type::f32:
      return "f32";
    case Type::bf16:
      return "bf16";
    case Type::s32:
      return "s32";
    case Type::u8:
      return "u8";
    case Type::s8:
      return "s8";
    default:
      return "?";
  }
}

/// A primitive, prepared, and what it wants.
template <class Made>
void prepare(const typename Made::desc& product, const dnnl::engine& engine,
             dnnl::primitive& primitive, memory::desc& packed, memory& scratchpad) {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const typename Made::primitive_desc chosen(product, attributes, engine);
  primitive = Made(chosen);
  packed = chosen.weights_desc();
  scratchpad = memory(chosen.scratchpad_desc(), engine);
}

}  // namespace

std::string name_of(const Form& form) {
  return std::string(form.primitive == Primitive::matmul ? "matmul" : "inner_product") + " " +
         name_of(form.in) + " x " + name_of(form.weight) + " -> " + name_of(form.out) +
         (form.share == Share::team ? "" : ", columns shared");
}

Numbers::Numbers(ProductShape shape, std::uint32_t rows)
    : weight(std::size_t{shape.in} * shape.out), x(std::size_t{shape.in} * rows) {
  std::minstd_rand random(shape.in + shape.out);
  for (float& value : weight) value = static_cast<float>(random() % 255) - 127;
  for (float& value : x) value = static_cast<float>(random() % 128);
}

BareProduct::BareProduct(const dnnl::engine& engine, const Form& form, std::uint32_t rows,
                         ProductShape shape, std::uint32_t first_column)
    : engine_(engine), rows_(rows), shape_(shape), first_(first_column) {
  const memory::desc x({rows, shape.in}, form.in, Tag::ab);
  const memory::desc y({rows, shape.out}, form.out, Tag::ab);
  if (form.primitive == Primitive::matmul) {
    const memory::desc weight({shape.in, shape.out}, form.weight, Tag::any);
    prepare<dnnl::matmul>({x, weight, y}, engine, primitive_, packed_, scratchpad_);
    plain_ = memory::desc({shape.in, shape.out}, Type::f32, Tag::ba);
  } else {
    const memory::desc weight({shape.out, shape.in}, form.weight, Tag::any);
    prepare<dnnl::inner_product_forward>({dnnl::prop_kind::forward_inference, x, weight, y}, engine,
                                         primitive_, packed_, scratchpad_);
    plain_ = memory::desc({shape.out, shape.in}, Type::f32, Tag::ab);
  }
  x_ = memory(x, engine);
  y_ = memory(y, engine);
}

std::size_t BareProduct::packed_size() const {
  return (packed_.get_size() + 63) / 64 * 64;  // each begins a cache line
}

void BareProduct::take(dnnl::stream& stream, Numbers& numbers, std::byte* place) {
  memory plain(plain_, engine_, numbers.weight.data() + std::size_t{first_} * shape_.in);
  memory packed(packed_, engine_, place);
  dnnl::reorder(plain, packed).execute(stream, plain, packed);
  if (weights_.empty()) {
    memory x({{rows_, shape_.in}, Type::f32, Tag::ab}, engine_, numbers.x.data());
    dnnl::reorder(x, x_).execute(stream, x, x_);
  }
  stream.wait();
  weights_.push_back(packed);
}

void BareProduct::run(const dnnl::stream& stream, std::uint32_t block) const {
  // Not primitive::execute(): its table of arguments is a map, which costs more than it looks.
  const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_SRC, x_.get()},
                                       {DNNL_ARG_WEIGHTS, weights_[block].get()},
                                       {DNNL_ARG_DST, y_.get()},
                                       {DNNL_ARG_SCRATCHPAD, scratchpad_.get()}};
  dnnl_primitive_execute(primitive_.get(), stream.get(), 4, arguments);
}

double BareProduct::error(const Numbers& numbers) const {
  std::vector<float> sums(std::size_t{rows_} * shape_.out);
  dnnl::stream stream(engine_);
  memory plain({{rows_, shape_.out}, Type::f32, Tag::ab}, engine_, sums.data());
  memory y = y_;
  dnnl::reorder(y, plain).execute(stream, y, plain);
  stream.wait();
  double worst = 0, largest = 0;
  for (std::size_t i = 0; i < sums.size(); i += 1 + sums.size() / 500) {
    const std::size_t row = i / shape_.out, column = first_ + i % shape_.out;
    double sum = 0;
    for (std::size_t k = 0; k < shape_.in; ++k)
      sum +=
          double{numbers.x[row * shape_.in + k]} * double{numbers.weight[column * shape_.in + k]};
    worst = std::max(worst, std::abs(sum - double{sums[i]}));
    largest = std::max(largest, std::abs(sum));
  }
  return worst / largest;
}

}  // namespace cambium::bench
