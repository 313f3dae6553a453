// What a command prints, in the form that its caller asked for.
#ifndef SQUISH_CTL_SHEET_H_
#define SQUISH_CTL_SHEET_H_

#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "ctl/table.h"

namespace squish {

enum class Format {
  kTable,  // Aligned, for people.
  kJson,   // The coordinator's answer as it came, field names as in the .proto files.
  kCsv,    // The table's rows, for spreadsheets.
};

// A table before it is text.
struct Sheet {
  std::vector<Column> columns;
  std::vector<std::vector<std::string>> rows;  // As many cells as there are columns.
};

// RFC 4180, with a line of titles.
std::string FormatCsv(const Sheet& sheet);

// Ends with a line break.
std::string FormatJson(const google::protobuf::Message& message);

// `sheet` as table or CSV, `message` as JSON.
std::string Render(Format format, const Sheet& sheet, const google::protobuf::Message& message);

}  // namespace squish

#endif  // SQUISH_CTL_SHEET_H_
