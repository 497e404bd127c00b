package import WeirSettings

/// How many actions of one sync pass by themselves: `5%`, `50`, `none`, or a group that says more.
package struct ThresholdSetting: Sendable {
    package var threshold: Rule.Threshold

    package init(_ threshold: Rule.Threshold = Rule.Threshold()) { self.threshold = threshold }

    /// Its long form.
    struct Group: Settings {
        var limit = LimitSetting(Rule.Threshold().limit)
        var atLeast = 0
        var lookback = Rule.Threshold().lookback
        var looksBackOnFull = false

        init() {}

        static let fields: [Field<Self>] = [
            field("limit", \.limit, "The largest number that passes, as `50`, or as a share of the target: `5%`."),
            field("at_least", \.atLeast, range: 0...1_000_000, "The limit is never less than this."),
            field(
                "lookback", \.lookback, range: .zero...(.seconds(7 * 86_400)),
                "Deltas and single syncs add what ran without approval in this time."),
            field("lookback_on_full", \.looksBackOnFull, "Full syncs add it too."),
        ]
    }
}

extension ThresholdSetting: SettingValue {
    package static func read(_ node: SettingNode, _ reading: inout SettingReading) -> ThresholdSetting? {
        if case .map = node.content {
            guard let group = Group.read(node, &reading) else { return nil }
            var threshold = Rule.Threshold()
            threshold.limit = group.limit.limit
            threshold.atLeast = group.atLeast
            threshold.lookback = group.lookback
            threshold.looksBackOnFull = group.looksBackOnFull
            return ThresholdSetting(threshold)
        }
        guard let limit = LimitSetting.read(node, &reading) else { return nil }
        var threshold = Rule.Threshold()
        threshold.limit = limit.limit
        return ThresholdSetting(threshold)
    }

    package static var shape: SettingShape { .either([LimitSetting.shape, .group(Group.group)]) }

    package var plain: PlainValue { LimitSetting(threshold.limit).plain }
}

/// A number, a share or none.
struct LimitSetting: SettingValue {
    var limit: Rule.Limit

    init(_ limit: Rule.Limit) { self.limit = limit }

    private enum NoLimit: String, SettingChoice {
        case none
        var help: String { "No limit but that of large silos." }
    }

    static let help = "write `5%`, a number such as `50`, or `none`"

    static func read(_ node: SettingNode, _ reading: inout SettingReading) -> LimitSetting? {
        guard case .scalar(let scalar) = node.content else {
            reading.wrongType(node, wants: "a number or a percentage", help: help)
            return nil
        }
        if scalar.text == "none" { return LimitSetting(.none) }
        if scalar.text.contains("%") {
            return SharePercent.read(node, &reading).map { LimitSetting(.share(basisPoints: $0.basisPoints)) }
        }
        guard !scalar.text.isEmpty, scalar.text.utf8.count <= 9,
            scalar.text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let count = Int(scalar.text)
        else {
            reading.wrongType(node, wants: "a number of 0 to 999,999,999 or a percentage", help: help)
            return nil
        }
        return LimitSetting(.count(count))
    }

    static var shape: SettingShape {
        .either([.percent, .wholeNumber, NoLimit.shape])
    }

    var plain: PlainValue {
        switch limit {
        case .none: .text("none")
        case .count(let count): .whole(count)
        case .share(let basisPoints): .text(SharePercent(basisPoints: basisPoints).text)
        }
    }
}

/// `100/hour`: so many actions in a time, the others wait.
package struct QuotaSetting: SettingValue {
    package var quota: Rule.Quota

    package static func read(_ node: SettingNode, _ reading: inout SettingReading) -> QuotaSetting? {
        let help = "write `100/hour`; after the slash stands `sync`, `hour`, `day` or `week`"
        guard case .scalar(let scalar) = node.content else {
            reading.wrongType(node, wants: "a number in a time", help: help)
            return nil
        }
        let parts = scalar.text.split(separator: "/", omittingEmptySubsequences: false).map { String($0).trimmed }
        guard parts.count == 2, parts[0].utf8.count <= 9, parts[0].utf8.allSatisfy({ (0x30...0x39).contains($0) }),
            let most = Int(parts[0]), let period = Rule.QuotaPeriod(rawValue: parts[1])
        else {
            reading.wrongType(node, wants: "a number in a time", help: help)
            return nil
        }
        return QuotaSetting(quota: Rule.Quota(most: most, per: period))
    }

    package static var shape: SettingShape { .text }
    package var plain: PlainValue { .text("\(quota.most)/\(quota.per.rawValue)") }
}
