// Aligned text tables for people.
#ifndef SQUISH_CTL_TABLE_H_
#define SQUISH_CTL_TABLE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace squish {

enum class Align { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kRight;
  int width = 0;  // At least so wide.
};

// Rows under their titles, each column as wide as its widest cell, two spaces between.
// Every row has as many cells as there are columns.
std::string FormatTable(const std::vector<Column>& columns,
                        const std::vector<std::vector<std::string>>& rows);

// One row at the columns' own widths, for lines that come one by one.
std::string FormatRow(const std::vector<Column>& columns, const std::vector<std::string>& cells);
std::string FormatTitles(const std::vector<Column>& columns);

// "[####------]", `width` marks for the whole. 0 <= fraction <= 1.
std::string Bar(double fraction, int width);

// 727,626
std::string WithThousands(int64_t number);

}  // namespace squish

#endif  // SQUISH_CTL_TABLE_H_
