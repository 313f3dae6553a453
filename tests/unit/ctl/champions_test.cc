#include "ctl/champions.h"

#include "common/genome/ancestors.h"
#include "ctl/model_card.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/ctl/individuals.h"

namespace squish {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Role = v1::Champion::Role;

v1::Champion TheChampion() {
  v1::Champion champion;
  *champion.mutable_individual() = Evaluated(2, 1, 250'000, 0.8, 0.5, 1.6);
  Role& knee = *champion.add_roles();
  knee.set_kind(Role::KNEE);
  knee.set_met(true);
  Role& size = *champion.add_roles();
  size.set_kind(Role::SIZE);
  size.set_megabytes(0.95);
  champion.set_state(v1::Champion::READY);
  champion.set_selection_accuracy(0.82);
  v1::Evaluation& evaluation = *champion.mutable_evaluation();
  evaluation.set_images(20);
  evaluation.set_accuracy(0.75);
  evaluation.set_balanced_accuracy(0.7);
  evaluation.set_log_loss(0.61);
  for (const int count : {9, 1, 4, 6}) evaluation.add_confusion(count);
  v1::ExportedFile& file = *champion.add_files();
  file.set_name("model.onnx");
  file.set_artifact(std::string(64, 'a'));
  file.set_bytes(1'000'321);
  file.set_difference(2e-6);
  file.set_checked_with("OpenCV dnn 4.6.0");
  return champion;
}

v1::Champion AnotherChampion() {
  v1::Champion champion;
  *champion.mutable_individual() = Evaluated(1, 0, 500'000, 0.9, 0.3, 1.2);
  Role& role = *champion.add_roles();
  role.set_kind(Role::MOST_ACCURATE);
  role.set_met(true);
  champion.set_state(v1::Champion::TRAINING);
  return champion;
}

TEST(ChampionsTest, RolesAreNamedAsTheyAreAskedFor) {
  EXPECT_EQ(RolesText(TheChampion()), "knee, 0.95 MB*");
  EXPECT_EQ(RolesText(AnotherChampion()), "most-accurate");
}

TEST(ChampionsTest, AreFoundByRoleSizeAndIndividual) {
  const std::vector<v1::Champion> champions = {AnotherChampion(), TheChampion()};
  for (const char* which : {"knee", "0.95", "0.950", "2:1"}) {
    const auto found = FindChampion(champions, which);
    ASSERT_TRUE(found.ok()) << which << ": " << found.status();
    EXPECT_EQ(found->individual().name().generation(), 2);
  }
  EXPECT_EQ(FindChampion(champions, "most-accurate")->individual().name().generation(), 1);
}

TEST(ChampionsTest, OneThatIsNotThereIsAnsweredWithThoseThatAre) {
  const auto missing = FindChampion({TheChampion()}, "fastest");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr("there are knee, 0.95, 2:1"));
  EXPECT_THAT(std::string(FindChampion({}, "knee").status().message()),
              HasSubstr("no champions yet"));
}

TEST(ChampionsTest, TableShowsWhatIsKnown) {
  const Sheet sheet = ChampionsSheet({AnotherChampion(), TheChampion()});
  const std::string csv = FormatCsv(sheet);
  EXPECT_THAT(csv, HasSubstr("\"knee, 0.95 MB*\",2:1,\"250,000\",1.000,75.0 %,0.610,82.0 %,1.600,READY,"));
  EXPECT_THAT(csv, HasSubstr("most-accurate,1:0,\"500,000\",2.000,-,-,-,1.200,TRAINING,"));
}

TEST(ChampionsTest, FootnoteSaysWhatTheFiguresAreOf) {
  v1::Experiment experiment;
  EXPECT_THAT(ChampionsFootnote(experiment, {TheChampion()}), HasSubstr("* nothing feasible"));
  EXPECT_THAT(ChampionsFootnote(experiment, {TheChampion()}), HasSubstr("in this experiment"));
  EXPECT_EQ(ChampionsFootnote(experiment, {AnotherChampion()}), "");
  v1::AncestorSpec& ancestor = *experiment.mutable_spec()->mutable_ancestor();
  ancestor.mutable_imported()->set_note("They have seen val/.");
  EXPECT_THAT(ChampionsFootnote(experiment, {TheChampion()}), HasSubstr("They have seen val/."));
  ancestor.mutable_imported()->clear_note();
  EXPECT_THAT(ChampionsFootnote(experiment, {TheChampion()}), HasSubstr("was not stated"));
  ancestor.mutable_branch()->set_experiment("old-1");
  EXPECT_THAT(ChampionsFootnote(experiment, {TheChampion()}), HasSubstr("branch of old-1"));
}

TEST(LineageTest, LeadsBackToTheAncestor) {
  std::vector<v1::Individual> individuals = {Evaluated(0, 0, 9, 0.9, 0.1, 1), Evaluated(1, 0, 8, 0.9, 0.1, 1),
                                             Evaluated(1, 1, 7, 0.9, 0.1, 1), Evaluated(2, 0, 6, 0.9, 0.1, 1)};
  individuals[3].mutable_parents(0)->set_index(1);
  std::vector<int64_t> parameters;
  for (const v1::Individual& one : Lineage(individuals, individuals[3].name())) {
    parameters.push_back(one.parameters());
  }
  EXPECT_THAT(parameters, ElementsAre(6, 7, 9));
}

TEST(LineageTest, NamesThatLeadNowhereEndIt) {
  v1::Individual self = Evaluated(2, 0, 5, 0.9, 0.1, 1);
  self.mutable_parents(0)->set_generation(2);  // Itself: nobody's parent.
  EXPECT_EQ(Lineage({self}, self.name()).size(), 1u);
  EXPECT_TRUE(Lineage({}, self.name()).empty());
}

class ModelCardTest : public ::testing::Test {
 protected:
  ModelCardTest() {
    facts_.experiment.set_id("pets-1234");
    facts_.experiment.mutable_spec()->set_name("pets");
    facts_.experiment.mutable_spec()->mutable_dataset()->set_name("pets");
    facts_.experiment.mutable_dataset()->set_val_images(20);
    facts_.champion = TheChampion();
    facts_.individuals = {Evaluated(0, 0, 727'626, 0.9, 0.1, 1), Evaluated(1, 0, 500'000, 0.9, 0.1, 1),
                          Evaluated(2, 1, 250'000, 0.8, 0.5, 1.6)};
    facts_.network.class_names = {"cat", "dog|wolf"};
    facts_.network.preprocessing.set_input_size(64);
  }
  ModelCardFacts facts_{{}, {}, {}, {*SqueezeNetV11(2, 0.05), {}, {}, {}}};
};

TEST_F(ModelCardTest, SaysWhatItIsHowMeasuredAndOnWhat) {
  const std::string card = ModelCard(facts_);
  EXPECT_THAT(card, HasSubstr("# pets, individual 2:1"));
  EXPECT_THAT(card, HasSubstr("| parameters | 250,000 |"));
  EXPECT_THAT(card, HasSubstr("| smaller than AlexNet | 244.40 times | by its 61,100,840 "));
  EXPECT_THAT(card, HasSubstr("for 1,000 classes | 4.94 times | by its 1,235,496 parameters"));
  EXPECT_THAT(card, HasSubstr("| accuracy | 75.00 % | `val/`, 20 pictures, looked at once in this experiment |"));
  EXPECT_THAT(card, HasSubstr("| class-balanced accuracy | 70.00 % |"));
  EXPECT_THAT(card, HasSubstr("| 1.600 | cpu, torch, fp32, batch 1, 1 thread |"));
  EXPECT_THAT(card, HasSubstr("| 0 cat | 10 | 90.00 % | 9 | 1 |"));
  EXPECT_THAT(card, HasSubstr("| 1 dog\\|wolf | 10 | 60.00 % | 4 | 6 |"));
  EXPECT_THAT(card, HasSubstr("| `model.onnx` | 1,000,321 |"));
  EXPECT_THAT(card, HasSubstr("| 0:0 | 727,626 |")) << "the lineage";
  EXPECT_THAT(card, HasSubstr("does not meet every constraint"));
}

TEST_F(ModelCardTest, ImagesPerJouleAreToldWhereTheBoardToldItsPower) {
  EXPECT_THAT(ModelCard(facts_), Not(HasSubstr("joule")));
  facts_.champion.mutable_individual()->set_images_per_joule(21.5);
  EXPECT_THAT(ModelCard(facts_), HasSubstr("| images/joule | 21.50 | cpu, torch, fp32, batch 1, "
                                           "1 thread; power of the whole module"));
}

TEST_F(ModelCardTest, SynapsesAndSpeedsBesideAreToldWhereThereAreAny) {
  EXPECT_THAT(ModelCard(facts_), Not(HasSubstr("synaptic efficiency")));
  facts_.experiment.mutable_spec()->mutable_synthesis()->mutable_synapses()->set_keep(0.9);
  facts_.individuals[0].set_synapses(700'000);
  v1::Individual& individual = *facts_.champion.mutable_individual();
  individual.set_synapses(100'000);
  v1::Speed& speed = *individual.add_beside();
  speed.set_measured_on("board, batch 16");
  speed.set_images_per_second(321);
  speed.set_ratio_to_ancestor(1.25);
  individual.add_beside()->set_measured_on("other board");
  const std::string card = ModelCard(facts_);
  EXPECT_THAT(card, HasSubstr("| synaptic efficiency | 7.00 times | 100,000 weights are not 0"));
  EXPECT_THAT(card, HasSubstr("no faster for it"));
  EXPECT_THAT(card, HasSubstr("| images/s beside | 321.0, ratio 1.250 | board, batch 16 |"));
  EXPECT_THAT(card, HasSubstr("| images/s beside | refused | other board |"));
}

TEST_F(ModelCardTest, LeakAndLicenceStandBesideTheFigures) {
  v1::AncestorSpec& ancestor = *facts_.experiment.mutable_spec()->mutable_ancestor();
  ancestor.mutable_squeezenet_v1_1();
  EXPECT_THAT(ModelCard(facts_), HasSubstr("Its weights began fresh"));
  EXPECT_THAT(ModelCard(facts_), HasSubstr("terms were not stated"));
  ancestor.mutable_imported()->set_digest("abc");
  EXPECT_THAT(ModelCard(facts_), HasSubstr("imported ones (SHA-256 `abc`); licence: not stated"));
  EXPECT_THAT(ModelCard(facts_), HasSubstr("have seen was not stated"));
  EXPECT_THAT(ModelCard(facts_), Not(HasSubstr("began fresh")));
  facts_.network.provenance.set_licence("Apache-2.0");
  facts_.network.provenance.set_note("They have seen val/");
  facts_.experiment.mutable_spec()->set_data_terms("ours, CC-BY");
  const std::string card = ModelCard(facts_);
  EXPECT_THAT(card, HasSubstr("licence: Apache-2.0"));
  EXPECT_THAT(card, HasSubstr("**They have seen val/**"));
  EXPECT_THAT(card, HasSubstr("Pictures: ours, CC-BY."));
  EXPECT_THAT(card, Not(HasSubstr("began fresh")));
}

TEST_F(ModelCardTest, FinalTrainingIsTold) {
  facts_.champion.set_final_images(12'345);
  EXPECT_THAT(ModelCard(facts_), HasSubstr("trained further with 12,345 pictures"));
  facts_.champion.set_final_diverged(true);
  EXPECT_THAT(ModelCard(facts_), HasSubstr("final training diverged"));
}

}  // namespace
}  // namespace squish
