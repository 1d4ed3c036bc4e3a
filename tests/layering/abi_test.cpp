// Layouts and virtual tables that plugins already built rely on, against abi.txt. A change must
// show as a diff of that file, and then needs a new minor (fields at the end), a new major or a new
// interface id.
#include <gtest/gtest.h>

#include <cstddef>
#include <fstream>
#include <iterator>
#include <sstream>

#include "abi/plugin.hpp"
#include "tests/layering/checks.hpp"

namespace cambium::layering {
namespace {

#define FIELD(type, field) #field, offsetof(type, field)

template <class T, class... Fields>
void put(std::ostream& out, const char* name, Fields... fields) {
  out << name << " size " << sizeof(T);
  int i = 0;
  ((out << (i++ % 2 == 0 ? ", " : " ") << fields), ...);
  out << "\n";
}

std::string read(const std::string& file) {
  std::ifstream in(std::string(SOURCE_ROOT) + "/" + file);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string layout() {
  std::ostringstream out;
  using Entry = cambium_plugin_entry;
  out << "abi " << kAbiMajor << "." << kAbiMinor << "\n";
  put<Entry>(out, "cambium_plugin_entry", FIELD(Entry, magic), FIELD(Entry, struct_size),
             FIELD(Entry, abi_major), FIELD(Entry, abi_minor), FIELD(Entry, export_count),
             FIELD(Entry, build), FIELD(Entry, name), FIELD(Entry, version), FIELD(Entry, exports));
  using Export = cambium_export;
  put<Export>(out, "cambium_export", FIELD(Export, interface_id), FIELD(Export, name),
              FIELD(Export, create), FIELD(Export, destroy));
  put<cambium_host>(out, "cambium_host", FIELD(cambium_host, struct_size),
                    FIELD(cambium_host, log));
  out << kEmbodimentInterface << "\n";
  put<JointSpec>(out, "JointSpec", FIELD(JointSpec, name), FIELD(JointSpec, kind),
                 FIELD(JointSpec, position_min), FIELD(JointSpec, position_max),
                 FIELD(JointSpec, velocity_max), FIELD(JointSpec, acceleration_max),
                 FIELD(JointSpec, home));
  put<SensorSpec>(out, "SensorSpec", FIELD(SensorSpec, name), FIELD(SensorSpec, unit),
                  FIELD(SensorSpec, frame), FIELD(SensorSpec, rank), FIELD(SensorSpec, shape));
  put<JointAxis>(out, "JointAxis", FIELD(JointAxis, point), FIELD(JointAxis, direction));
  put<RobotSpec>(out, "RobotSpec", FIELD(RobotSpec, name), FIELD(RobotSpec, summary),
                 FIELD(RobotSpec, joints), FIELD(RobotSpec, sensors), FIELD(RobotSpec, action),
                 FIELD(RobotSpec, control_hz), FIELD(RobotSpec, home_tool), FIELD(RobotSpec, reach),
                 FIELD(RobotSpec, safe_pose), FIELD(RobotSpec, jerk_max), FIELD(RobotSpec, axes));
  out << kStemInterface << "\n";
  put<StemSpec>(out, "StemSpec", FIELD(StemSpec, rank), FIELD(StemSpec, shape),
                FIELD(StemSpec, horizon), FIELD(StemSpec, tokens), FIELD(StemSpec, width),
                FIELD(StemSpec, parameters), FIELD(StemSpec, weights));
  for (const auto& one : virtual_functions(read("interfaces/cambium/stem.hpp"))) out << one << "\n";
  out << kHeadInterface << "\n";
  put<HeadSpec>(out, "HeadSpec", FIELD(HeadSpec, features), FIELD(HeadSpec, width),
                FIELD(HeadSpec, horizon), FIELD(HeadSpec, dof), FIELD(HeadSpec, parameters),
                FIELD(HeadSpec, weights));
  for (const auto& one : virtual_functions(read("interfaces/cambium/head.hpp"))) out << one << "\n";
  out << kStateInterface << "\n";
  for (const auto& one : virtual_functions(read("interfaces/cambium/state.hpp")))
    out << one << "\n";
  out << "shared\n";
  put<SensorWindow>(out, "SensorWindow", FIELD(SensorWindow, data), FIELD(SensorWindow, steps),
                    FIELD(SensorWindow, size));
  put<TokensView>(out, "TokensView", FIELD(TokensView, data), FIELD(TokensView, count),
                  FIELD(TokensView, width));
  put<FeaturesView>(out, "FeaturesView", FIELD(FeaturesView, data), FIELD(FeaturesView, count),
                    FIELD(FeaturesView, width));
  put<ChunkView>(out, "ChunkView", FIELD(ChunkView, data), FIELD(ChunkView, horizon),
                 FIELD(ChunkView, dof));
  put<TensorView>(out, "TensorView", FIELD(TensorView, name), FIELD(TensorView, data),
                  FIELD(TensorView, rank), FIELD(TensorView, shape));
  put<Parameter>(out, "Parameter", FIELD(Parameter, key), FIELD(Parameter, value));
  put<Status>(out, "Status");
  put<Message>(out, "Message", FIELD(Message, text));
  return out.str();
}

TEST(Abi, LayoutsAndVirtualTablesAreThoseOfAbiTxt) {
  EXPECT_EQ(layout(), read("tests/layering/abi.txt"));
}

}  // namespace
}  // namespace cambium::layering
