// bench/transfer/panels.hpp: several small pictures of success side by side, with one legend.
#pragma once

#include <string>
#include <vector>

namespace cambium::transfer {

struct PanelPoint {
  double x = 0;       ///< 0 is drawn left of the logarithmic axis
  double mean = 0;    ///< 0 to 1
  double spread = 0;  ///< drawn up and down from the mean
};

struct PanelLine {
  std::string name;
  std::vector<PanelPoint> points;  ///< by x
};

struct Panel {
  std::string title;
  std::string part;  ///< of the title's own: which of several panels this is; often empty
  std::vector<PanelLine> lines;
};

struct Picture {
  std::string title, below;        ///< below: what x is
  std::vector<std::string> names;  ///< of lines, in the order of colours and of the legend
  std::vector<Panel> panels;
  std::size_t columns = 2;
};

/// SVG text: x logarithmic with a mark at every value that occurs, y success in percent.
std::string draw(const Picture& picture);

}  // namespace cambium::transfer
