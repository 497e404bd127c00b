package import WeirWorld

/// Something that a person should look at: what it is, since when, and what to do about it.
package struct Trouble: Sendable, Hashable {
    /// From a small closed set, for machines.
    package var code: String
    /// What is seen, for people.
    package var sentence: String
    /// `nil` where that is not known.
    package var since: WallTime?
    /// What helps; empty where it passes by itself.
    package var advice: String

    package init(_ code: String, _ sentence: String, since: WallTime? = nil, advice: String = "") {
        self.code = code
        self.sentence = sentence
        self.since = since
        self.advice = advice
    }

    package init(_ reason: Reason, since: WallTime? = nil, advice: String = "") {
        self.init(reason.code, reason.sentence, since: since, advice: advice)
    }
}
