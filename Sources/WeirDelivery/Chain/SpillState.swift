package import WeirGates
package import WeirWorld

/// When the disk queue takes what comes in, and when memory does again.
///
/// | mode | engages | clears |
/// | --- | --- | --- |
/// | `error` | the destination is unreachable, failing, suspended or held by a person | the receiver is well and the
/// disk empty |
/// | `backpressure` | as `error`, and when the gate has been held for `after` | the same |
/// | `always` | from the start | never |
/// | `smart` | the memory buffer is 90 % full | below 70 % of it, and the disk empty |
///
/// Whatever the mode, what a restart found on disk engages the queue: it drains first.
package struct SpillState: Sendable {
    package enum Phase: Sendable, Hashable {
        /// Events stay in memory. Can become: `engaged`.
        case idle
        /// Events go to disk. Can become: `idle`, when the disk is empty and the receiver is well (never in mode
        /// `always`).
        case engaged(Reason)
    }

    /// What the chain sees when it asks.
    package struct Seen: Sendable {
        /// No endpoint may be used, or a person must act.
        package var trouble: Reason?
        /// Senders find no room.
        package var isHeld: Bool
        /// Bytes in memory as a part of the buffer.
        package var fill: Double
        /// Nothing on disk and nothing on its way there.
        package var isDiskEmpty: Bool

        package init(trouble: Reason?, isHeld: Bool, fill: Double, isDiskEmpty: Bool) {
            self.trouble = trouble
            self.isHeld = isHeld
            self.fill = fill
            self.isDiskEmpty = isDiskEmpty
        }
    }

    package enum Change: Sendable, Hashable {
        case engaged(Reason)
        case cleared
    }

    package let mode: DiskQueueSettings.Mode
    package let after: Duration
    package private(set) var phase: Phase
    private var heldSince: Moment?

    package init(mode: DiskQueueSettings.Mode, after: Duration = .seconds(30)) {
        self.mode = mode
        self.after = after
        phase = mode == .always ? .engaged(Reason("queue_always", "Every event is written to disk first.")) : .idle
    }

    package var isEngaged: Bool { phase != .idle }

    /// When mode `backpressure` will engage if the gate stays held.
    package var engagesAt: Moment? {
        guard mode == .backpressure, phase == .idle else { return nil }
        return heldSince.map { $0 + after }
    }

    package mutating func recovered() {
        if phase == .idle {
            phase = .engaged(Reason("queue_recovered", "What the last run left on disk is delivered first."))
        }
    }

    package mutating func observe(_ seen: Seen, at now: Moment) -> Change? {
        if seen.isHeld {
            if heldSince == nil { heldSince = now }
        } else {
            heldSince = nil
        }
        switch phase {
        case .idle:
            guard let reason = trigger(seen, at: now) else { return nil }
            phase = .engaged(reason)
            return .engaged(reason)
        case .engaged:
            guard mode != .always, seen.isDiskEmpty else { return nil }
            guard mode == .smart ? seen.fill < 0.7 : seen.trouble == nil else { return nil }
            phase = .idle
            heldSince = nil
            return .cleared
        }
    }

    private func trigger(_ seen: Seen, at now: Moment) -> Reason? {
        switch mode {
        case .always: return nil
        case .smart:
            return seen.fill >= 0.9 ? Reason("queue_threshold", "The memory buffer was 90 % full.") : nil
        case .error: return seen.trouble
        case .backpressure:
            if let trouble = seen.trouble { return trouble }
            guard let since = heldSince, now >= since + after else { return nil }
            return Reason("held_too_long", "The gate was held for \(after.shortText).")
        }
    }
}
