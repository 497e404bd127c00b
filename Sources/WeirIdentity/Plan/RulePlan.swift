package import WeirWorld

/// One rule's part of a sealed plan: all its triggers of the sync, each with what the catches made of it.
///
/// The order is fixed: condition and `Count()` (before this) → grace → open action → mute → throttle → VIP → volume →
/// quota. An approval waives the catches that ask people (VIP, volume), never the limits of capacity (throttle, quota).
package struct RulePlan: Sendable {
    package struct Context: Sendable {
        package var now: WallTime
        package var kind: SyncRequest.Kind
        /// Live objects of the rule's target at the start.
        package var base: Int
        package var isUnlocked: Bool
        /// Until when somebody stays important, by identity.
        package var important: [String: WallTime]
        package var errors: Int
        package var evaluated: Int
        /// A person holds the rule: it is planned, and nothing runs.
        package var isPaused = false

        package init(
            now: WallTime, kind: SyncRequest.Kind, base: Int, isUnlocked: Bool = false,
            important: [String: WallTime] = [:], errors: Int = 0, evaluated: Int = 0
        ) {
            self.now = now
            self.kind = kind
            self.base = base
            self.isUnlocked = isUnlocked
            self.important = important
            self.errors = errors
            self.evaluated = evaluated
        }
    }

    package struct Item: Sendable {
        package var trigger: Triggered
        package var planned: Planned
        package var isVIP: Bool
    }

    package let rule: Rule
    package let threshold: ThresholdCatch
    package let lookback: Int
    /// Newly triggering identities: what is compared with the limit.
    package private(set) var level = 0
    /// Why the volume catch holds all; nil where it does not.
    package private(set) var held: ActionReason?
    /// In the rule's order: by priority, then by identity.
    package private(set) var items: [Item] = []
    /// As it is after this sync.
    package private(set) var quotas: [Rule.QuotaPeriod: QuotaWindow]

    private let context: Context

    package init(_ rule: Rule, _ triggers: [Triggered], _ memory: RuleMemory, _ context: Context) {
        self.rule = rule
        self.context = context
        threshold = ThresholdCatch(rule.threshold, base: context.base, isUnlocked: context.isUnlocked)
        lookback = ThresholdCatch.looksBack(rule.threshold, context.kind) ? memory.lookback : 0
        quotas = memory.quotas
        let ordered = triggers.sorted { ($0.priority, $0.identity) < ($1.priority, $1.identity) }
        for trigger in ordered where rule.kind != .event || memory.lastTold[trigger.identity] != trigger.fingerprint {
            let until = context.important[trigger.identity]
            let isVIP =
                rule.asksForVIP
                && VIPCatch.isVIP(new: trigger.vip.new, old: trigger.vip.old, until: until, now: context.now)
            items.append(Item(trigger: trigger, planned: .ready(action: nil, isHuman: false), isVIP: isVIP))
        }
        for place in items.indices { items[place].planned = before(items[place].trigger, memory) }
        holdVolume(memory)
        for place in items.indices { limit(place) }
        if rule.isSimulated { simulate() }
    }

    /// All that looks at one trigger alone.
    private func before(_ trigger: Triggered, _ memory: RuleMemory) -> Planned {
        let now = context.now
        if let grace = rule.grace, grace > .zero {
            let since = min(memory.since[trigger.identity] ?? now, now)
            if now - since < grace { return .postponed(.grace, until: since + grace) }
        }
        var action: RuleMemory.Open?
        if let open = memory.open[trigger.identity] {
            switch open.state {
            case .suspended where open.fingerprint == trigger.fingerprint:
                return .suspended(open.reason, action: open.id, replaces: nil)
            case .suspended, .approved:
                if open.fingerprint != trigger.fingerprint {
                    return .suspended(.superseded, action: nil, replaces: open.id)
                }
                action = open
            default: return .postponed(.unavailable, until: now)
            }
        } else if memory.muted[trigger.identity] == trigger.fingerprint {
            return .skipped(.muted, "rejected until the change is another one")
        }
        switch trigger.throttle {
        case .failed(let text): return .failed(.evalError, "the throttle: \(text)")
        case .period(let period):
            let last = memory.lastRun[trigger.identity]
            if case .waits(let until, let last) = ThrottleCatch.verdict(last: last, period: period, now: now) {
                return .throttled(until: until, last: last)
            }
        }
        return .ready(action: action?.id, isHuman: action?.isHuman ?? false)
    }

    /// VIP and volume: for what was not approved.
    private mutating func holdVolume(_ memory: RuleMemory) {
        let fresh = items.indices.filter { items[$0].planned == .ready(action: nil, isHuman: false) }
        level = fresh.count
        held = threshold.reason(count: level, lookback: lookback)
        if level > 0, ThresholdCatch.holdsForErrors(rule, errors: context.errors, evaluated: context.evaluated) {
            held = .errorRate
        }
        for place in fresh {
            if items[place].isVIP {
                items[place].planned = .suspended(.vip, action: nil, replaces: nil)
            } else if let held {
                items[place].planned = .suspended(held, action: nil, replaces: nil)
            }
        }
    }

    /// Quotas, in the rule's order.
    private mutating func limit(_ place: Int) {
        guard case .ready = items[place].planned else { return }
        let now = context.now
        if context.isPaused {
            items[place].planned = .postponed(.window, until: now)
            return
        }
        var windows = quotas
        for quota in rule.quotas {
            // One of a sync begins empty.
            var window = windows[quota.per] ?? QuotaWindow(quota.per, at: now)
            guard window.take(quota, at: now) else {
                items[place].planned = .postponed(.quota, until: quota.per == .sync ? now : window.end(quota.per))
                return
            }
            windows[quota.per] = window
        }
        quotas = windows
    }

    private mutating func simulate() {
        for place in items.indices {
            let text: String
            switch items[place].planned {
            case .ready: text = "would run"
            case .throttled(let until, _): text = "would wait until \(until): throttled"
            case .suspended(let reason, _, _): text = "would be held: \(reason.rawValue)"
            case .postponed(let reason, let until): text = "would be put off until \(until): \(reason.rawValue)"
            case .skipped(let reason, _): text = "would be left out: \(reason.rawValue)"
            case .failed: continue
            }
            items[place].planned = .skipped(.simulated, text)
        }
    }
}
