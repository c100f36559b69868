#include "placements/bounds.h"

#include <fmt/format.h>

#include <cmath>

namespace limpet::sim {
namespace {

class Bounds {
 public:
  explicit Bounds(const Comparison& c) : c_(c), n_(c.pods) {}
  std::vector<std::string> check();

 private:
  void expect(const std::string& who, const char* what, double value, double least, double most) {
    if (value < least || value > most)
      broken_.push_back(
          fmt::format("{} pods: {}: {} is {:.4f}, expected {:.4f} to {:.4f}", c_.pods, who, what, value, least, most));
  }
  // Within a factor of what is expected of a share of the keys, which is only so exact where it is few of them.
  void about(const std::string& who, const char* what, double value, double expected, double slack) {
    slack += 4 / std::sqrt(expected * static_cast<double>(c_.keys));
    expect(who, what, value, expected * (1 - slack), expected * (1 + slack));
  }
  void check_hash(const std::string& who, const Measured& m);
  void check_limpet();

  const Comparison& c_;
  double n_;
  std::vector<std::string> broken_;
};

void Bounds::check_hash(const std::string& who, const Measured& m) {
  for (size_t i = 0; i < m.imbalance.size(); i++) expect(who, "imbalance", m.imbalance[i], c_.floors[i], 1e9);
  if (who.starts_with("hash mod N")) {
    about(who, "add", m.add, n_ / (n_ + 1), 0.02);
    about(who, "remove", m.remove, (n_ - 1) / n_, 0.02);
    about(who, "restart", m.restart, 2 * (n_ - 1), 0.02);
  } else if (who.starts_with("hash ring") || who.starts_with("rendezvous")) {
    // A pod's share of a ring of 100 points is off by a tenth.
    double slack = who.starts_with("rendezvous") ? 0.1 : 0.35;
    about(who, "add", m.add, 1 / (n_ + 1), slack);
    about(who, "remove", m.remove, 1 / n_, 0.1);
    expect(who, "collateral", m.collateral, 0, 0);
    about(who, "restart", m.restart, 2, 0.05);
  } else if (who.starts_with("jump")) {
    about(who, "add", m.add, 1 / (n_ + 1), 0.1);
    about(who, "remove", m.remove, 2 / n_, n_ > 20 ? 0.1 : 0.2);
    about(who, "collateral", m.collateral, 1 / n_, n_ > 20 ? 0.1 : 0.2);
  } else if (who.starts_with("Maglev")) {
    // The more pods, the more of the others' turns a new one shifts.
    expect(who, "add", m.add, 0.9 / (n_ + 1), 10 / (n_ + 1));
    expect(who, "remove", m.remove, 0.9 / n_, 10 / n_);
  } else if (who.starts_with("bounded")) {
    expect(who, "imbalance", m.imbalance.front(), 1, 1.26);
    expect(who, "add", m.add, 0.6 / (n_ + 1), 2 / (n_ + 1));
  }
}

void Bounds::check_limpet() {
  const MeasuredLimpet& l = c_.limpet;
  const std::string who = "Limpet";
  for (const std::string& v : l.violations) broken_.push_back(who + ": " + v);
  expect(who, "restart", l.moves.restart, 0.95, 1 + 2 / n_ + 0.05);
  // What is moved for balance in between comes on top of 2.
  expect(who, "restart without carousel", l.restart_without_carousel, 1, 2.4);
  expect(who, "add", l.moves.add, 0.5 / (n_ + 1), 1.5 / (n_ + 1));
  expect(who, "remove", l.moves.remove, 0.8 / n_, 1.5 / n_);
  for (size_t i = 0; i < c_.floors.size(); i++)
    expect(who, "imbalance", l.moves.imbalance[i], c_.floors[i] - 1e-9, 1.1 * c_.floors[i]);
}

std::vector<std::string> Bounds::check() {
  for (const auto& [who, measured] : c_.hashes) check_hash(who, measured);
  check_limpet();
  return std::move(broken_);
}

}  // namespace

std::vector<std::string> out_of_bounds(const Comparison& comparison) { return Bounds(comparison).check(); }

}  // namespace limpet::sim
