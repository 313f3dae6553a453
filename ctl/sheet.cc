#include "ctl/sheet.h"

#include <google/protobuf/util/json_util.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace squish {
namespace {

std::string CsvCell(const std::string& cell) {
  if (cell.find_first_of(",\"\r\n") == std::string::npos) return cell;
  return absl::StrCat("\"", absl::StrReplaceAll(cell, {{"\"", "\"\""}}), "\"");
}

std::string CsvLine(const std::vector<std::string>& cells) {
  return absl::StrJoin(cells, ",", [](std::string* out, const std::string& cell) {
           absl::StrAppend(out, CsvCell(cell));
         }) + "\n";
}

}  // namespace

std::string FormatCsv(const Sheet& sheet) {
  std::vector<std::string> titles;
  for (const Column& column : sheet.columns) titles.push_back(column.title);
  std::string csv = CsvLine(titles);
  for (const auto& row : sheet.rows) csv += CsvLine(row);
  return csv;
}

std::string FormatJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  // Every message of ours can be written: it has no Any in it.
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) std::abort();
  if (json.empty() || json.back() != '\n') json += "\n";
  return json;
}

std::string Render(Format format, const Sheet& sheet, const google::protobuf::Message& message) {
  switch (format) {
    case Format::kJson: return FormatJson(message);
    case Format::kCsv: return FormatCsv(sheet);
    case Format::kTable: break;
  }
  return FormatTable(sheet.columns, sheet.rows);
}

}  // namespace squish
