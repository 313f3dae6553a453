// An experiment and its individuals as text: CSV for programs, tables and lines for
// people. Pure; the column names of the CSV files are read by others.
#ifndef SQUISH_CTL_REPORT_H_
#define SQUISH_CTL_REPORT_H_

#include <string>
#include <vector>

#include "ctl/sheet.h"
#include "squish/v1/experiment_service.pb.h"

namespace squish {

// experiment,strategy,seed,generation,individual,parents,parameters,megabytes,macs,
// selection_accuracy,selection_log_loss,val_accuracy,images_per_second,
// ratio_to_ancestor,images_seen,genome_digest,weights_digest, and after those
// training_seconds,step_seconds: wall time in the trainer, and of that in steps.
// measured_on: what images_per_second is of; says so when it is no hardware's.
// MB are 10^6 bytes of fp32 weights, accuracies fractions, parents generation:index
// joined by '+'; empty where not known. Generation 0 is the ancestor, ratio 1. val_accuracy
// is of champions that were evaluated with the very weights of the row, that is without a
// final training.
std::string IndividualsCsv(const v1::Experiment& experiment,
                           const std::vector<v1::Individual>& individuals,
                           const std::vector<v1::Champion>& champions);

// architecture_digest,images_per_second: what `--engine replay:FILE` reads. One line
// for each architecture, its first measurement.
std::string SpeedsCsv(const std::vector<v1::Individual>& individuals);

// Whether nothing about it is open any more.
bool IsComplete(const v1::Individual& individual);
bool HasEnded(const v1::Experiment& experiment);

// One line for each individual as it becomes complete, at fixed widths.
std::string IndividualTitles();
std::string IndividualLine(const v1::Individual& individual);

std::string IndividualsTable(const std::vector<v1::Individual>& individuals);

// One row a generation: how many, the best of each kind, who was selected.
std::string GenerationsTable(const std::vector<v1::Individual>& individuals);

// "Speeds: torch, fp32, …", from the individuals themselves; empty without any.
std::string SpeedsSentence(const std::vector<v1::Individual>& individuals);

// What is known of one thing, a name and a value a row.
Sheet ExperimentFields(const v1::Experiment& experiment);
Sheet IndividualFields(const v1::Individual& individual);
// "name  value" lines without titles; CSV and JSON as Render.
std::string RenderFields(Format format, const Sheet& fields,
                         const google::protobuf::Message& message);

Sheet ExperimentsSheet(const v1::ListExperimentsResponse& experiments);
Sheet LineageSheet(const v1::ListIndividualsResponse& lineage);
Sheet RunnersSheet(const v1::ListRunnersResponse& runners);
Sheet EstimateSheet(const v1::EstimateResponse& estimate);

// "RUNNING, generation 3 of 15" or "…, stopped early, finishing champions"; with the reason
// if there is one.
std::string StateSentence(const v1::Experiment& experiment);

}  // namespace squish

#endif  // SQUISH_CTL_REPORT_H_
