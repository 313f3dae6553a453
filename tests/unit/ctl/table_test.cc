#include "ctl/table.h"

#include "ctl/sheet.h"

#include "gtest/gtest.h"
#include "squish/v1/experiment.pb.h"

namespace squish {
namespace {

TEST(TableTest, ColumnsAreAsWideAsTheirWidestCell) {
  EXPECT_EQ(FormatTable({{"name", Align::kLeft}, {"n"}}, {{"a", "1"}, {"longer", "1,000"}}),
            "name        n\n"
            "a           1\n"
            "longer  1,000\n");
}

TEST(TableTest, CharactersCountNotBytes) {
  EXPECT_EQ(FormatTable({{"κ"}, {"b"}}, {{"½½½", "x"}}), "  κ  b\n½½½  x\n");
}

TEST(TableTest, NoSpacesAtTheEndOfALine) {
  EXPECT_EQ(FormatTable({{"a", Align::kLeft}, {"b", Align::kLeft}}, {{"1", ""}, {"1", "long"}}),
            "a  b\n1\n1  long\n");
}

TEST(TableTest, RowsAtFixedWidthsLetWideCellsRunOver) {
  EXPECT_EQ(FormatRow({{"", Align::kRight, 4}, {"", Align::kLeft, 2}}, {"123456", "x"}),
            "123456  x\n");
}

TEST(TableTest, ThousandsAreSeparated) {
  EXPECT_EQ(WithThousands(0), "0");
  EXPECT_EQ(WithThousands(999), "999");
  EXPECT_EQ(WithThousands(1000), "1,000");
  EXPECT_EQ(WithThousands(-123456), "-123,456");
  EXPECT_EQ(WithThousands(727626), "727,626");
  EXPECT_EQ(WithThousands(1234567890), "1,234,567,890");
}

TEST(TableTest, BarFillsFromTheLeft) {
  EXPECT_EQ(Bar(0, 4), "[----]");
  EXPECT_EQ(Bar(0.5, 4), "[##--]");
  EXPECT_EQ(Bar(1, 4), "[####]");
}

TEST(SheetTest, CsvQuotesWhatNeedsIt) {
  const Sheet sheet{{{"a"}, {"b, c"}}, {{"1,5", "say \"yes\""}, {"plain", "two\nlines"}}};
  EXPECT_EQ(FormatCsv(sheet),
            "a,\"b, c\"\n\"1,5\",\"say \"\"yes\"\"\"\nplain,\"two\nlines\"\n");
}

TEST(SheetTest, JsonHasTheNamesOfTheProtoFiles) {
  v1::Individual individual;
  individual.set_selection_accuracy(0.5);
  EXPECT_EQ(FormatJson(individual), "{\n \"selection_accuracy\": 0.5\n}\n");
}

}  // namespace
}  // namespace squish
