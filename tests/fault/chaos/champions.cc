#include "tests/fault/chaos/champions.h"

#include "absl/strings/str_cat.h"

namespace squish {

std::string DescribeChampions(const std::vector<v1::Champion>& champions) {
  std::string text;
  for (const v1::Champion& champion : champions) {
    const v1::IndividualName& name = champion.individual().name();
    absl::StrAppend(&text, v1::Champion::State_Name(champion.state()), " ", name.generation(), ":",
                    name.index(), " ", champion.weights_digest(), " ", champion.predictions());
    for (const v1::ExportedFile& file : champion.files()) {
      absl::StrAppend(&text, " ", file.name(), " ", file.artifact());
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

}  // namespace squish
