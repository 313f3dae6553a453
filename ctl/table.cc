#include "ctl/table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace squish {
namespace {

// Of valid UTF-8: every byte but continuations starts a character.
int Characters(const std::string& text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::vector<std::string> Titles(const std::vector<Column>& columns) {
  std::vector<std::string> titles;
  for (const Column& column : columns) titles.push_back(column.title);
  return titles;
}

}  // namespace

std::string FormatRow(const std::vector<Column>& columns, const std::vector<std::string>& cells) {
  std::string line;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (i > 0) line += "  ";
    const std::string padding(
        static_cast<size_t>(std::max(0, columns[i].width - Characters(cells[i]))), ' ');
    line += columns[i].align == Align::kRight ? padding + cells[i] : cells[i] + padding;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

std::string FormatTitles(const std::vector<Column>& columns) {
  return FormatRow(columns, Titles(columns));
}

std::string FormatTable(const std::vector<Column>& columns,
                        const std::vector<std::vector<std::string>>& rows) {
  std::vector<Column> fitted = columns;
  for (size_t i = 0; i < fitted.size(); ++i) {
    fitted[i].width = std::max(fitted[i].width, Characters(fitted[i].title));
    for (const auto& row : rows) fitted[i].width = std::max(fitted[i].width, Characters(row[i]));
  }
  std::string text = FormatTitles(fitted);
  for (const auto& row : rows) text += FormatRow(fitted, row);
  return text;
}

std::string Bar(double fraction, int width) {
  const int marks = std::clamp(static_cast<int>(fraction * width), 0, width);
  return absl::StrCat("[", std::string(static_cast<size_t>(marks), '#'),
                      std::string(static_cast<size_t>(width - marks), '-'), "]");
}

std::string WithThousands(int64_t number) {
  std::string digits = absl::StrCat(number);
  const int first = number < 0 ? 1 : 0;
  for (int at = static_cast<int>(digits.size()) - 3; at > first; at -= 3) {
    digits.insert(static_cast<size_t>(at), 1, ',');
  }
  return digits;
}

}  // namespace squish
