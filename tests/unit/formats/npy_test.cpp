#include "core/formats/npy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace cambium::formats {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::span<const std::byte> bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string file_of(const std::string& header, const std::string& data) {
  using namespace std::string_literals;
  return "\x93NUMPY\1\0"s + static_cast<char>(header.size()) + '\0' + header + data;
}

TEST(Npy, WritesWhatItReads) {
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  for (const auto& shape : std::vector<std::vector<std::uint64_t>>{{6}, {2, 3}, {1, 6, 1}}) {
    std::vector<std::byte> file;
    write_npy(file, shape, values);
    EXPECT_EQ((file.size() - 24) % 64, 0u) << "numpy aligns the data";
    const auto array = read_npy(file);
    ASSERT_TRUE(array) << array.error().message;
    EXPECT_EQ(array->rank, shape.size());
    std::vector<float> back(6);
    ASSERT_TRUE(to_floats(*array, back));
    EXPECT_EQ(back, values);
  }
}

TEST(Npy, WritesASingleNumberAndNothing) {
  std::vector<std::byte> file;
  const float one = 1;
  write_npy(file, {}, std::span(&one, 1));
  ASSERT_TRUE(read_npy(file));
  EXPECT_EQ(read_npy(file)->rank, 0u);
  file.clear();
  write_npy(file, std::vector<std::uint64_t>{0, 3}, {});
  ASSERT_TRUE(read_npy(file));
  EXPECT_EQ(read_npy(file)->text(), "float32 (0, 3)");
}

TEST(Npy, ReadsColumnMajorFiles) {
  const auto text =
      file_of("{'fortran_order': True, 'shape': (2, 3), 'descr': '|u1'}", {0, 1, 2, 3, 4, 5});
  const auto array = read_npy(bytes(text));
  ASSERT_TRUE(array) << array.error().message;
  std::vector<float> values(6);
  ASSERT_TRUE(to_floats(*array, values));
  EXPECT_THAT(values, ElementsAre(0, 2, 4, 1, 3, 5));
}

TEST(Npy, RefusesHeadersThatAreNoSuchDictionary) {
  const std::vector<std::pair<std::string, const char*>> bad = {
      {"", "'{'"},
      {"{", "key"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)", "',' or '}'"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} 1", "end of the header"},
      {"{'descr': '<f4', 'fortran_order': False}", "lacks"},
      {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "twice"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}", "besides"},
      {"{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}", "True or False"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': [1]}", "tuple"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1)}", "tuple"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}", "tuple"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1 1)}", "tuple"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", "tuple"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1)}", "tuple"},
      {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "several fields"},
      {"{'descr': '\\x3cf4', 'fortran_order': False, 'shape': (1,)}", "text for descr"},
      {"{'descr': '|O8', 'fortran_order': False, 'shape': (1,)}", "pointers"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "its shape needs 8"},
  };
  for (const auto& [header, why] : bad) {
    const auto text = file_of(header, std::string(4, '\0'));
    const auto array = read_npy(bytes(text));
    ASSERT_FALSE(array) << header;
    EXPECT_THAT(array.error().message, HasSubstr(why)) << header;
    EXPECT_THAT(array.error().message, HasSubstr(".npy")) << header;
  }
}

TEST(Npy, RefusesLengthsThatAreNotThere) {
  const auto whole = file_of("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", "abcd");
  ASSERT_TRUE(read_npy(bytes(whole)));
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(read_npy(bytes(whole).first(size))) << size;
  EXPECT_FALSE(read_npy(bytes(whole + "x")));
}

}  // namespace
}  // namespace cambium::formats
