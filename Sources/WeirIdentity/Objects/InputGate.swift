/// Looks at a scan before anybody believes it: what is missing in it may be gone, or may only not have been read.
/// Nearly every mass deletion that people report began with a read that went wrong and was taken for "everyone left".
package struct InputGate: Sendable, Hashable, Codable {
    /// A scan that lacks more than this share of the objects that were there is held. Hundredths of a percent; default:
    /// 1,000 (10 %).
    package var dropMost = 1_000
    /// … and at least so many. Default: 50.
    package var dropFloor = 50
    /// An empty answer is believed, though there were objects. Default: false.
    package var allowsEmpty = false
    /// Scans in which rows could not be read are taken for what they have: nothing is deleted by them. Default: false,
    /// they are held.
    package var takesPartial = false

    package init() {}

    /// What one scan found.
    package struct Findings: Sendable, Hashable {
        /// Live objects that the store had before.
        package var live: Int
        package var seen: Int
        /// Live objects that the scan lacks, or that a delta says are deleted.
        package var gone: Int
        /// Rows that could not be read.
        package var refused: Int
        package var isFull: Bool

        package init(live: Int, seen: Int, gone: Int, refused: Int = 0, isFull: Bool = true) {
            self.live = live
            self.seen = seen
            self.gone = gone
            self.refused = refused
            self.isFull = isFull
        }
    }

    package enum Verdict: Sendable, Hashable {
        /// What is missing is gone.
        case complete
        /// What was read is taken; nothing is concluded from what is missing.
        case partial(String)
        /// Nothing is taken until somebody accepts it. With the reason's code and words.
        case quarantined(ActionReason, String)
    }

    /// - Parameter what: the kind, for the words.
    package func verdict(_ found: Findings, of what: ObjectKind) -> Verdict {
        if found.refused > 0 {
            let text = "\(found.refused) rows of \(what) could not be read"
            guard takesPartial else {
                return .quarantined(
                    .scanIncomplete, text + ": correct them, or accept the scan for what it has (nothing is deleted)")
            }
            return .partial(text)
        }
        if found.isFull, found.seen == 0, found.live > 0, !allowsEmpty {
            return .quarantined(
                .scanShrunk,
                "\(what) was empty, and \(found.live) objects were there before: see whether it was read from the "
                    + "right place, or accept the scan")
        }
        // Whole numbers only, and rounded against the scan.
        if found.gone >= dropFloor, found.gone * 10_000 > found.live * dropMost {
            return .quarantined(
                .scanShrunk,
                "\(found.gone) of \(found.live) objects of \(what) are missing (more than \(Self.percent(dropMost)) "
                    + "and at least \(dropFloor)): see why, or accept the scan")
        }
        return .complete
    }

    static func percent(_ basisPoints: Int) -> String {
        basisPoints % 100 == 0 ? "\(basisPoints / 100) %" : "\(Double(basisPoints) / 100) %"
    }
}
