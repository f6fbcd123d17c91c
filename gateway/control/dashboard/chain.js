// Why a request met its version: the order of precedence, rule by rule.

import { exact } from "./format.js";
import { html } from "./lib.js";
import { SplitBar, VersionTag } from "./parts.js";

const RULES = {
  durable_object: "Durable Object",
  version_url: "Version URL",
  override: "Override",
  cohort: "Cohort",
  affinity_key: "Affinity key",
  percentages: "Percentages",
};

export const REASONS = {
  "durable-object": "durable_object",
  "version-url": "version_url",
  override: "override",
  affinity: "affinity_key",
  percentage: "percentages",
};

/** The steps, what they led to, and where the point lies; `told` is what /api/explain says. */
export function Chain({ told, shares }) {
  const { decision } = told;
  const split = shares ?? told.deployment?.versions ?? [];
  return html`<div class="chain">
    ${told.problem && html`<p class="note warn">${told.problem}</p>`}
    <ol>
      ${told.steps.map(
        (step) => html`<li key=${step.rule} class=${`step ${step.outcome.replace(" ", "-")}`}>
          <span class="step-mark" aria-hidden="true"></span>
          <span class="step-rule">${RULES[step.rule] ?? step.rule}</span>
          <span class="step-outcome">${step.outcome}</span>
          <span class="step-cites" title="Rule of the documentation">${step.cites}</span>
          <span class="step-detail">${step.detail}</span>
        </li>`,
      )}
    </ol>
    ${
      decision &&
      html`<p class="decision">
          <${VersionTag} id=${decision.version_id} label=${decision.tag} />
          <span>by <strong>${decision.reason}</strong></span>
          ${
            decision.point !== null &&
            html`<span class="number">point ${exact(decision.point)}${
              decision.high ? ` in [${exact(decision.low)}, ${exact(decision.high)})` : ""
            }</span>`
          }
        </p>
        ${decision.point !== null && split.length > 0 && html`<${SplitBar} shares=${split} point=${decision.point} label="Ranges" />`}
        ${decision.ignored.map(
          (one) => html`<p key=${one.signal + one.cause} class="note">
            Ignored ${one.signal}: ${one.cause}${one.detail && `: ${one.detail}`}
          </p>`,
        )}`
    }
  </div>`;
}

/**
 * Returns the explanation of a request that was answered already: the rules as /api/explain tells them, but the
 * outcome as it was. A draw is not repeated, a redacted key lies elsewhere, and another deployment may be active.
 *
 * @param told What /api/explain says of the same URL and headers.
 * @param event The request.
 * @param shares The versions of the deployment that was active at the time, in their order.
 */
export function asItWas(told, event, shares) {
  const decided = REASONS[event.reason];
  if (!decided) return told;
  const range = rangeOf(shares, event);
  const where =
    event.point === null
      ? ""
      : `${exact(event.point)}${range ? `, in the range [${exact(range.low)}, ${exact(range.high)})` : ""}`;
  let reached = true;
  const steps = told.steps.map((step) => {
    if (step.rule === decided) {
      reached = false;
      const detail = DETAILS[event.reason](where, event) ?? (step.outcome === "decided" ? step.detail : "");
      return { ...step, outcome: "decided", detail };
    }
    if (!reached) return { ...step, outcome: "not reached", detail: "an earlier rule decided" };
    if (step.outcome === "decided") return { ...step, outcome: "absent", detail: "it did not decide at the time" };
    return step;
  });
  const same = told.decision?.version_id === event.version_id;
  return {
    ...told,
    steps,
    problem: null,
    decision: {
      version_id: event.version_id,
      tag: event.label,
      reason: event.reason,
      point: event.point,
      low: range?.low ?? 0,
      high: range?.high ?? 0,
      ignored: (event.ignored ?? []).map((one) => ({ ...one, detail: "" })),
      state: same ? told.decision.state : "",
    },
  };
}

const DETAILS = {
  "durable-object": (_where, event) => (event.object ? `object ${event.object} was on this version` : undefined),
  "version-url": () => undefined,
  override: () => undefined,
  affinity: (where) => `the key lies at ${where}`,
  percentage: (where) => `this request's draw was ${where}; the next draw is independent`,
};

function rangeOf(shares, event) {
  if (event.point === null || event.reason === "durable-object") return null;
  let low = 0;
  for (const share of shares) {
    const high = low + share.percentage;
    if (share.version_id === event.version_id && low <= event.point && event.point < high) return { low, high };
    low = high;
  }
  return null;
}
