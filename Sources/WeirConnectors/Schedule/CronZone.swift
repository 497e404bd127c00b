import Foundation
package import WeirGates
import WeirWorld

/// A time zone by its name in the tz database: `UTC`, `Europe/Rome`.
package struct CronZone: Sendable, Hashable, CustomStringConvertible {
    package let name: String
    private let zone: TimeZone?

    package static let utc = CronZone()

    private init() {
        name = "UTC"
        zone = nil
    }

    /// - Throws: when nobody knows the zone.
    package init(_ name: String) throws(UnitTextProblem) {
        if ["UTC", "Z", "Etc/UTC"].contains(name) {
            self = .utc
            return
        }
        // Foundation also takes abbreviations, which mean several zones each (`CST`).
        guard name.contains("/"), let zone = TimeZone(identifier: name) else {
            throw UnitTextProblem(
                "there is no time zone `\(name.clipped)`", help: "write a name such as `UTC` or `Europe/Rome`")
        }
        self.name = name
        self.zone = zone
    }

    package var description: String { name }

    /// Seconds east of UTC at a moment.
    func offset(at time: WallTime) -> Int { offset(atSeconds: Int(time.secondsSince1970.rounded(.down))) }

    private func offset(atSeconds seconds: Int) -> Int {
        zone?.secondsFromGMT(for: Date(timeIntervalSince1970: TimeInterval(seconds))) ?? 0
    }

    /// What the clocks do on a local day.
    enum Day {
        case steady(offset: Int)
        /// The clocks change at `change` (seconds since 1970 in UTC; the first second of the new offset).
        case changing(before: Int, after: Int, change: Int)
    }

    /// - Parameter start: local midnight, in seconds as if it were UTC.
    func day(startingAt start: Int) -> Day {
        guard zone != nil else { return .steady(offset: 0) }
        // No zone is further than 15 hours from UTC. Two changes within 54 hours have not been made yet.
        var low = start - 15 * 3_600
        var high = start + (24 + 15) * 3_600
        let before = offset(atSeconds: low)
        let after = offset(atSeconds: high)
        if before == after { return .steady(offset: before) }
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if offset(atSeconds: middle) == before { low = middle } else { high = middle }
        }
        return .changing(before: before, after: after, change: high)
    }
}
