/// What a bulk decision is about, in one sentence and one number.
package struct DecisionText: Sendable, Hashable {
    /// How many actions it decides.
    package var count: Int
    package var sentence: String

    /// - Parameters:
    ///   - deed: `approves`.
    ///   - holds: of one rule; one or several runs.
    package init(deed: String, holds: [IdentityAPI.Review], exceptsVIP: Bool) {
        let vips = holds.reduce(0) { $0 + $1.vip }
        count = holds.reduce(0) { $0 + $1.suspended } - (exceptsVIP ? vips : 0)
        let about = vips == 0 ? "" : exceptsVIP ? ", and leaves \(vips) on VIPs" : ", \(vips) of them on VIPs"
        let runs = holds.count == 1 ? "" : " of \(holds.count) runs"
        sentence = Printable.line(
            "This \(deed) \(count) action\(count == 1 ? "" : "s") of \(holds.first?.rule ?? "")\(runs)\(about)")
    }

    package static func done(_ done: IdentityAPI.Decided) -> String {
        var text = done.text.isEmpty ? "\(done.changed) decided." : done.text
        if done.waitsForSecond { text += " One more person must approve." }
        return Printable.line(text)
    }
}
