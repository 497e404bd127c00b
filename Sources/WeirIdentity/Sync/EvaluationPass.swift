import WeirExpressions
import WeirGates
import WeirWorld

/// Evaluates all rules for many identities, in parts that several threads work on.
struct EvaluationPass: Sendable {
    /// What a run of identities gave.
    struct Part: Sendable {
        struct Failure: Sendable {
            var rule: Int
            var identity: Int
            var text: String
        }

        struct Candidate: Sendable {
            var rule: Int
            var identity: Int
            var booleans: [Bool]
            var priority: Triggered.Priority
        }

        var triggers: [[Triggered]]
        var failures: [Failure] = []
        var candidates: [Candidate] = []
        /// Identities that were looked at and are not disputed.
        var evaluated: [Int] = []
        var important: [String] = []

        init(rules: Int) { triggers = Array(repeating: [], count: rules) }

        mutating func add(_ other: Part) {
            for place in triggers.indices { triggers[place] += other.triggers[place] }
            failures += other.failures
            candidates += other.candidates
            evaluated += other.evaluated
            important += other.important
        }
    }

    let evaluator: RuleEvaluator
    /// Rules that cannot be used in this sync, with why.
    let disabled: [Int: String]
    private let throttles: [Int: Duration]
    private let key: [UInt8]

    /// - Parameters:
    ///   - env: resolved once, for the whole sync.
    ///   - key: of the fingerprints' HMAC.
    init(evaluator: RuleEvaluator, env: [String: String], key: [UInt8]) {
        self.evaluator = evaluator
        self.key = key
        var disabled: [Int: String] = [:]
        var throttles: [Int: Duration] = [:]
        for (place, entry) in evaluator.book.entries.enumerated() {
            if let problem = entry.problem ?? evaluator.groups[place]?.problem { disabled[place] = problem }
            switch entry.rule.throttle {
            case .none, .expression: break
            case .period(let period): throttles[place] = period
            case .variable(let name):
                // Never "0": a variable that is not there must not switch a catch off.
                if let text = env[name], let period = try? ThrottleSetting.duration(text) {
                    throttles[place] = period
                } else {
                    disabled[place] =
                        env[name].map { "env.\(name) is `\($0)`, which is no duration" } ?? "env.\(name) is not set"
                }
            }
        }
        self.disabled = disabled
        self.throttles = throttles
    }

    func first(_ identities: some Sequence<Int>, remembersVIP: Bool) -> Part {
        let snapshot = evaluator.snapshot
        let book = evaluator.book
        var part = Part(rules: book.entries.count)
        for identity in identities {
            if snapshot.dispute(of: identity) != nil { continue }
            part.evaluated.append(identity)
            for place in book.entries.indices where disabled[place] == nil {
                take(evaluator.first(place, identity), place, identity, into: &part)
            }
            if remembersVIP, let vip = book.vip, finding(vip, identity, evaluator.scope) == .yes {
                part.important.append(snapshot.id(of: identity))
            }
        }
        return part
    }

    /// The second and third pass: counters one identity after the other, in each rule's order, then the rest.
    func counted(_ candidates: [Part.Candidate], now: WallTime) -> Part {
        var part = Part(rules: evaluator.book.entries.count)
        var windows = CountWindows()
        let ordered = candidates.sorted {
            ($0.rule, $0.priority, $0.identity) < ($1.rule, $1.priority, $1.identity)
        }
        for candidate in ordered {
            let slots = evaluator.book.entries[candidate.rule].counts
            let counts = zip(slots, candidate.booleans).map { slot, isTrue in
                windows.count(slot.slot.context, isTrue: isTrue, period: slot.slot.period, now: now)
            }
            let finding = evaluator.second(candidate.rule, candidate.identity, counts: counts)
            take(finding, candidate.rule, candidate.identity, into: &part)
        }
        return part
    }

    private func take(_ finding: RuleFinding, _ place: Int, _ identity: Int, into part: inout Part) {
        switch finding {
        case .none: break
        case .failed(let text): part.failures.append(Part.Failure(rule: place, identity: identity, text: text))
        case .candidate(let booleans):
            part.candidates.append(
                Part.Candidate(
                    rule: place, identity: identity, booleans: booleans, priority: priority(place, identity)))
        case .triggered(let wanted): part.triggers[place].append(trigger(place, identity, wanted))
        }
    }

    func trigger(_ place: Int, _ identity: Int, _ wanted: RuleFinding.Wanted) -> Triggered {
        let entry = evaluator.book.entries[place]
        let snapshot = evaluator.snapshot
        let id = snapshot.id(of: identity)
        let encoded = ChangeCode.encode(wanted.changes)
        var trigger = Triggered(
            rule: place, number: identity, identity: id, label: label(identity), changes: wanted.changes,
            encoded: encoded, secrets: wanted.secrets,
            fingerprint: Fingerprint(
                rule: entry.rule, identity: id, encoded: encoded, secrets: wanted.secrets, key: key))
        let scope = evaluator.scopes[place]
        if let vip = entry.vip {
            var old = scope
            old.isOld = true
            trigger.vip = (finding(vip, identity, scope), finding(vip, identity, old))
            if trigger.vip.old == .failed { trigger.vip.old = .absent }
        }
        trigger.priority = priority(place, identity)
        if let expression = entry.throttle {
            trigger.throttle = throttle(expression, identity, scope)
        } else {
            trigger.throttle = .period(throttles[place] ?? .zero)
        }
        if !entry.rule.review.allowsSelfApproval { trigger.own = own(identity) }
        return trigger
    }

    func label(_ identity: Int) -> String {
        if case .string(let text)? = try? evaluator.book.label.evaluate(
            identity, in: evaluator.snapshot, evaluator.scope), !text.isEmpty
        {
            return text
        }
        return evaluator.snapshot.id(of: identity)
    }

    private func finding(
        _ expression: any IdentityExpression, _ identity: Int, _ scope: EvaluationScope
    ) -> VIPCatch.Finding {
        switch try? expression.evaluate(identity, in: evaluator.snapshot, scope) {
        case .bool(let isVIP)?: isVIP ? .yes : .no
        default: .failed
        }
    }

    private func priority(_ place: Int, _ identity: Int) -> Triggered.Priority {
        let entry = evaluator.book.entries[place]
        guard let expression = entry.priority else { return .none }
        switch try? expression.evaluate(identity, in: evaluator.snapshot, evaluator.scopes[place]) {
        case .int(let number)?: return .number(Double(number))
        case .uint(let number)?: return .number(Double(number))
        case .double(let number)? where !number.isNaN: return .number(number)
        case .string(let text)?: return .text(text)
        case .timestamp(let instant)?: return .text(instant.description)
        default: return .none
        }
    }

    private func throttle(
        _ expression: any IdentityExpression, _ identity: Int, _ scope: EvaluationScope
    ) -> Triggered.Throttle {
        do throws(ExpressionFailure) {
            guard case .duration(let span) = try expression.evaluate(identity, in: evaluator.snapshot, scope),
                span.nanoseconds >= 0
            else { return .failed("it gave no duration") }
            return .period(.nanoseconds(span.nanoseconds))
        } catch {
            return .failed(error.description)
        }
    }

    /// Accounts and addresses by which somebody may sign in.
    private func own(_ identity: Int) -> [String] {
        var names: Set<String> = []
        for object in evaluator.snapshot.objects(of: identity) {
            for attribute in ["mail", "email", "uid", "login", "username", "userprincipalname", "samaccountname"] {
                for value in object.attributes[attribute] ?? [] { names.insert(value.lowercased()) }
            }
        }
        return names.sorted()
    }
}
