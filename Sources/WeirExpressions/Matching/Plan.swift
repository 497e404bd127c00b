import CWeirJSON
import CWeirRegex

/// The part of a condition that the structural scanner can decide: clauses over fields, joined by `&&`, `||` and `!`.
///
/// A clause compares one field (`event.a`, `event.a.b`, `event.?a.orValue(c)`) with constants: `== != < <= > >= in`,
/// `startsWith`, `endsWith`, `contains`, `matches`, `has()`, or the field alone as a bool. Any other part of the
/// condition is left open, unless it speaks of no event at all (then it is evaluated once a batch): if the clauses
/// decide without it, fine; if not, that event goes to the general evaluator.
final class Plan: @unchecked Sendable {
    // The matcher is filled by `init` and only read afterwards.
    private let matcher: OpaquePointer
    /// Conditions that are the same for the whole batch.
    private var perBatch: [Code] = []
    /// Path of each clause's field, for syslog records.
    private var paths: [EventPath] = []
    private var operations: [Int32] = []
    private var absent: [UInt8] = []
    /// Keeps what the C side points to.
    private var patterns: [Pattern] = []

    /// Nil when no part of the condition is a clause.
    init?(_ term: Term) {
        guard let made = weir_matcher_make() else { return nil }
        matcher = made
        guard steps(of: term) <= 120 else { return nil }
        add(term)
        guard !paths.isEmpty else { return nil }
    }

    deinit { weir_matcher_free(matcher) }

    private func steps(of term: Term) -> Int {
        switch term {
        case .and(let parts), .or(let parts): parts.reduce(parts.count) { $0 + steps(of: $1) }
        case .call(let function, let arguments) where function.name == "!_": 1 + steps(of: arguments[0])
        default: 1
        }
    }

    private func add(_ term: Term) {
        switch term {
        case .and(let parts): join(parts, Int32(WEIR_AND.rawValue))
        case .or(let parts): join(parts, Int32(WEIR_OR.rawValue))
        case .call(let function, let arguments) where function.name == "!_" && arguments.count == 1:
            add(arguments[0])
            weir_matcher_step(matcher, Int32(WEIR_NOT.rawValue), 0)
        default:
            if let clause = Clause(term), let index = clause.add(to: matcher, &patterns) {
                paths.append(clause.path)
                operations.append(clause.operation)
                absent.append(clause.absent)
                weir_matcher_step(matcher, Int32(WEIR_PUSH_CLAUSE.rawValue), index)
                return
            }
            var compiler = Compiler()
            let code = compiler.compile(term)
            if compiler.fieldsRead.isEmpty, !compiler.readsWholeRecord, !term.usesSlots {
                perBatch.append(code)
                weir_matcher_step(matcher, Int32(WEIR_PUSH_BATCH.rawValue), Int32(perBatch.count - 1))
            } else {
                weir_matcher_step(matcher, Int32(WEIR_PUSH_UNDECIDED.rawValue), 0)
            }
        }
    }

    private func join(_ parts: [Term], _ step: Int32) {
        for (at, part) in parts.enumerated() {
            add(part)
            if at > 0 { weir_matcher_step(matcher, step, 0) }
        }
    }

    /// Fills in the verdicts.
    func run(
        slab: UnsafeRawBufferPointer, ends: UnsafeBufferPointer<UInt32>, separator: Int, _ view: RecordView,
        into verdicts: UnsafeMutableBufferPointer<UInt8>
    ) -> Bool {
        var batch: [UInt8] = []
        for code in perBatch {
            var frame = Frame(slots: [], stepsLeft: 100_000, bindings: [:], record: view)
            do throws(ExpressionFailure) {
                guard case .bool(let bool) = try code(&frame) else { return false }
                batch.append(bool ? Verdict.yes : Verdict.no)
            } catch {
                batch.append(Verdict.failed)
            }
        }
        guard separator >= 0, separator <= 8 else { return false }
        batch.withUnsafeBufferPointer { batch in
            if view.kind == .syslog {
                syslog(slab, ends, separator, view, batch, verdicts)
            } else {
                weir_matcher_run(
                    matcher, slab.baseAddress?.assumingMemoryBound(to: UInt8.self), slab.count, ends.baseAddress,
                    ends.count,
                    UInt32(separator), batch.baseAddress, verdicts.baseAddress)
            }
        }
        return true
    }

    // MARK: Syslog

    private func syslog(
        _ slab: UnsafeRawBufferPointer, _ ends: UnsafeBufferPointer<UInt32>, _ separator: Int, _ view: RecordView,
        _ batch: UnsafeBufferPointer<UInt8>, _ verdicts: UnsafeMutableBufferPointer<UInt8>
    ) {
        let fields = paths.map { SyslogField(rawValue: $0.names[0]) ?? .unknown }
        let nested = paths.map { $0.names.count > 1 }
        let needsHeader = fields.contains { $0 != .severity && $0 != .facility }
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: paths.count) { answers in
            var start = 0
            for at in 0..<ends.count {
                let end = Int(ends[at])
                guard end <= slab.count, end >= start else {
                    verdicts[at] = Verdict.failed
                    continue
                }
                let bytes = UnsafeRawBufferPointer(rebasing: slab[start..<max(start, end - separator)])
                start = end
                let message = SyslogFields(bytes, priorityOnly: !needsHeader)
                for clause in 0..<fields.count {
                    answers[clause] = answer(clause, fields[clause], isNested: nested[clause], message, bytes)
                }
                verdicts[at] = weir_matcher_join(matcher, answers.baseAddress, batch.baseAddress)
            }
        }
    }

    private enum SyslogField: String {
        case facility, severity, host, app, procid, msgid, message, raw, time
        case structured = "structured_data"
        case unknown
    }

    @inline(__always)
    private func answer(
        _ clause: Int, _ field: SyslogField, isNested: Bool, _ message: SyslogFields, _ bytes: UnsafeRawBufferPointer
    ) -> UInt8 {
        if isNested { return Verdict.undecided }
        switch field {
        case .facility: return number(clause, message.facility)
        case .severity: return number(clause, message.severity)
        case .host: return text(clause, message.host, bytes, isOptional: true)
        case .app: return text(clause, message.app, bytes, isOptional: true)
        case .procid: return text(clause, message.procid, bytes, isOptional: true)
        case .msgid: return text(clause, message.msgid, bytes, isOptional: true)
        case .message: return text(clause, message.message, bytes, isOptional: false)
        case .raw: return text(clause, 0..<bytes.count, bytes, isOptional: false)
        case .time, .structured: return operations[clause] == Int32(WEIR_HAS.rawValue) ? Verdict.yes : Verdict.undecided
        case .unknown: return absent[clause]
        }
    }

    private func number(_ clause: Int, _ value: Int) -> UInt8 {
        weir_clause_value(matcher, Int32(clause), Int32(WEIR_INT.rawValue), nil, 0, Int64(value))
    }

    private func text(_ clause: Int, _ range: Range<Int>, _ bytes: UnsafeRawBufferPointer, isOptional: Bool) -> UInt8 {
        if isOptional, range.isEmpty { return absent[clause] }
        let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        return weir_clause_value(
            matcher, Int32(clause), Int32(WEIR_STRING.rawValue), start.map { $0 + range.lowerBound }, range.count, 0)
    }
}
