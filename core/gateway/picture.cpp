#include "core/gateway/picture.hpp"

#include <algorithm>
#include <cmath>

namespace cambium::gateway {
namespace {

using config::PixelLayout;
using formats::Element;

// Of a picture that is scaled: what its line takes in memory must not grow with what a client says.
constexpr std::uint64_t kLongestSide = 8192;

bool is_float(Element element) {
  return element == Element::f16 || element == Element::f32 || element == Element::f64;
}

// The three loops that all pictures go through; simple enough to become vector instructions.
template <class T>
void line(const T* from, float* to, std::ptrdiff_t count, float factor, float black) {
  for (std::ptrdiff_t i = 0; i < count; ++i) to[i] = static_cast<float>(from[i]) * factor + black;
}
template <class T>
void add_line(const T* from, float* to, std::size_t count, float weight) {
  for (std::size_t i = 0; i < count; ++i) to[i] += static_cast<float>(from[i]) * weight;
}
void split_line(const float* from, float* const to[3], std::ptrdiff_t pixels) {
  float* __restrict red = to[0];
  float* __restrict green = to[1];
  float* __restrict blue = to[2];
  for (std::ptrdiff_t i = 0; i < pixels; ++i) {
    red[i] = from[3 * i];
    green[i] = from[3 * i + 1];
    blue[i] = from[3 * i + 2];
  }
}

}  // namespace

PictureReader::PictureReader(const PictureShape& to, const config::SensorMapping& how)
    : to_(to), how_(how) {
  const std::ptrdiff_t columns = to.columns, colours = to.colours;
  out_ = {to.rows, to.columns, to.colours};
  if (to.colours_first) {
    out_.row = columns, out_.column = 1, out_.colour = columns * to.rows;
  } else {
    out_.row = columns * colours, out_.column = colours, out_.colour = 1;
  }
  black_ = how.range == config::PixelRange::symmetric ? -1.0F : 0.0F;
  span_ = how.range == config::PixelRange::bytes       ? 255.0F
          : how.range == config::PixelRange::symmetric ? 2.0F
                                                       : 1.0F;
}

Error PictureReader::refusal(const formats::ArrayView& picture, const char* why) const {
  const std::string rows = how_.fit == config::Fit::exact ? std::to_string(to_.rows) : "rows",
                    columns =
                        how_.fit == config::Fit::exact ? std::to_string(to_.columns) : "columns",
                    colours = std::to_string(to_.colours);
  std::string shape;
  if (how_.layout != PixelLayout::chw) shape = "(" + rows + ", " + columns + ", " + colours + ")";
  if (how_.layout != PixelLayout::hwc)
    shape += (shape.empty() ? "(" : " or (") + colours + ", " + rows + ", " + columns + ")";
  return Error{Code::bad_data, "is " + picture.text() + why + ", expected uint8 " + shape +
                                   " or floats from 0 to 1"};
}

Result<PictureReader::Pixels> PictureReader::pixels_of(const formats::ArrayView& picture) const {
  const auto rank = picture.rank;
  std::uint32_t first = 0;
  while (rank - first > 3 && first < 2 && picture.shape[first] == 1) ++first;
  const bool grey = to_.colours == 1 && rank == 2;
  if (rank - first != 3 && !grey) return refusal(picture, "");
  if (picture.count() == 0) return refusal(picture, ", which is empty");
  std::ptrdiff_t steps[formats::ArrayView::kMaxRank] = {}, step = 1;
  for (std::uint32_t i = 0; i < rank; ++i) {
    const std::uint32_t axis = picture.column_major ? i : rank - 1 - i;
    steps[axis] = step;
    step *= static_cast<std::ptrdiff_t>(picture.shape[axis]);
  }
  const auto size = [&](std::uint32_t axis) { return picture.shape[first + axis]; };
  Pixels pixels;
  const auto set = [&](std::uint32_t row, std::uint32_t column) {
    pixels.rows = static_cast<std::uint32_t>(std::min<std::uint64_t>(size(row), UINT32_MAX));
    pixels.columns = static_cast<std::uint32_t>(std::min<std::uint64_t>(size(column), UINT32_MAX));
    pixels.colours = to_.colours;
    pixels.row = steps[first + row];
    pixels.column = steps[first + column];
  };
  if (grey) {
    set(0, 1);
  } else {
    const bool last = size(2) == to_.colours && how_.layout != PixelLayout::chw;
    const bool front = size(0) == to_.colours && how_.layout != PixelLayout::hwc;
    if (last && front)
      return refusal(picture,
                     ", of which the first or the last axis may be the colours (say "
                     "layout = \"hwc\" or \"chw\" in its [[listener.sensor]])");
    if (!last && !front) return refusal(picture, "");
    set(last ? 0 : 1, last ? 1 : 2);
    pixels.colour = steps[first + (last ? 2 : 0)];
  }
  const bool same = pixels.rows == to_.rows && pixels.columns == to_.columns;
  if (how_.fit == config::Fit::exact && !same) return refusal(picture, " and fit = \"exact\"");
  if (!same && (pixels.rows > kLongestSide || pixels.columns > kLongestSide))
    return refusal(picture, ", of more than 8192 rows or columns");
  return pixels;
}

PictureReader::Box PictureReader::box_of(const Pixels& pixels) const noexcept {
  if (how_.fit != config::Fit::pad) return {0, 0, to_.rows, to_.columns};
  const double factor = std::min(static_cast<double>(to_.rows) / pixels.rows,
                                 static_cast<double>(to_.columns) / pixels.columns);
  const auto fitted = [&](std::uint32_t from, std::uint32_t most) {
    return static_cast<std::uint32_t>(std::clamp<long>(std::lround(from * factor), 1, most));
  };
  Box box{0, 0, fitted(pixels.rows, to_.rows), fitted(pixels.columns, to_.columns)};
  box.top = (to_.rows - box.rows) / 2;
  box.left = (to_.columns - box.columns) / 2;
  return box;
}

Result<void> PictureReader::read(const formats::ArrayView& picture, std::span<float> out) {
  const bool bytes = picture.element == Element::u8;
  if (!bytes && !is_float(picture.element)) return refusal(picture, "");
  auto pixels = pixels_of(picture);
  if (!pixels) return pixels.error();
  if (bytes) {
    write(reinterpret_cast<const std::uint8_t*>(picture.data.data()), *pixels, 255.0F, out.data());
    return {};
  }
  floats_.resize(picture.count());
  if (!formats::to_floats(picture, floats_)) return refusal(picture, "");
  // Written so that NaN is refused too.
  if (!std::ranges::all_of(floats_, [](float x) { return x >= 0 && x <= 1; }))
    return refusal(picture, " with numbers that are not from 0 to 1");
  formats::ArrayView rows = picture;  // as to_floats() leaves them
  rows.column_major = false;
  write(floats_.data(), *pixels_of(rows), 1.0F, out.data());
  return {};
}

// `one`: full brightness in the client's numbers.
template <class T>
void PictureReader::write(const T* from, const Pixels& pixels, float one, float* out) {
  Pixels turned = pixels;
  if (how_.colours == config::Colours::bgr) {  // last colour first: a negative step
    from += (pixels.colours - 1) * pixels.colour;
    turned.colour = -pixels.colour;
  }
  const float factor = span_ / one;
  if (pixels.rows == to_.rows && pixels.columns == to_.columns)
    return copy(from, turned, factor, out);
  scale(from, turned, box_of(pixels), factor, out);
}

template <class T>
void PictureReader::copy(const T* from, const Pixels& in, float factor, float* out) {
  const std::ptrdiff_t columns = in.columns, colours = in.colours;
  const bool woven = in.colour == 1 && in.column == colours;
  if (woven && !to_.colours_first) {
    for (std::uint32_t y = 0; y < in.rows; ++y)
      line(from + y * in.row, out + y * out_.row, columns * colours, factor, black_);
  } else if (in.column == 1 && (to_.colours_first || colours == 1)) {
    for (std::ptrdiff_t c = 0; c < colours; ++c)
      for (std::uint32_t y = 0; y < in.rows; ++y)
        line(from + c * in.colour + y * in.row, out + c * out_.colour + y * out_.row, columns,
             factor, black_);
  } else if (woven && colours == 3) {
    line_.resize(static_cast<std::size_t>(columns) * 3);
    for (std::uint32_t y = 0; y < in.rows; ++y) {
      line(from + y * in.row, line_.data(), columns * 3, factor, black_);
      float* const planes[3] = {out + y * out_.row, out + out_.colour + y * out_.row,
                                out + 2 * out_.colour + y * out_.row};
      split_line(line_.data(), planes, columns);
    }
  } else {
    for (std::uint32_t y = 0; y < in.rows; ++y)
      for (std::ptrdiff_t x = 0; x < columns; ++x)
        for (std::ptrdiff_t c = 0; c < colours; ++c)
          out[y * out_.row + x * out_.column + c * out_.colour] =
              static_cast<float>(from[y * in.row + x * in.column + c * in.colour]) * factor +
              black_;
  }
}

// Rows first, so that one line is all the memory it takes.
template <class T>
void PictureReader::scale(const T* from, const Pixels& in, const Box& box, float factor,
                          float* out) {
  if (!over_rows_ || over_rows_->from() != in.rows || over_rows_->to() != box.rows)
    over_rows_.emplace(in.rows, box.rows);
  if (!over_columns_ || over_columns_->from() != in.columns || over_columns_->to() != box.columns)
    over_columns_.emplace(in.columns, box.columns);
  const std::ptrdiff_t colours = in.colours;
  if (box.rows != to_.rows || box.columns != to_.columns)
    std::fill_n(out, static_cast<std::ptrdiff_t>(to_.rows) * to_.columns * colours, black_);
  line_.resize(static_cast<std::size_t>(in.columns * colours));
  for (std::uint32_t y = 0; y < box.rows; ++y) {
    std::ranges::fill(line_, 0.0F);
    const auto rows = over_rows_->taps(y);
    for (std::uint32_t i = 0; i < rows.count; ++i) {
      const T* row = from + (rows.first + i) * in.row;
      if (in.colour == 1 && in.column == colours) {
        add_line(row, line_.data(), line_.size(), rows.weights[i]);
        continue;
      }
      for (std::ptrdiff_t x = 0; x < in.columns; ++x)
        for (std::ptrdiff_t c = 0; c < colours; ++c)
          line_[static_cast<std::size_t>(x * colours + c)] +=
              static_cast<float>(row[x * in.column + c * in.colour]) * rows.weights[i];
    }
    float* const to = out + (box.top + y) * out_.row + box.left * out_.column;
    for (std::uint32_t x = 0; x < box.columns; ++x) {
      const auto columns = over_columns_->taps(x);
      for (std::ptrdiff_t c = 0; c < colours; ++c) {
        float sum = 0;
        for (std::uint32_t i = 0; i < columns.count; ++i)
          sum += columns.weights[i] *
                 line_[static_cast<std::size_t>((columns.first + i) * colours + c)];
        to[x * out_.column + c * out_.colour] = sum * factor + black_;
      }
    }
  }
}

}  // namespace cambium::gateway
