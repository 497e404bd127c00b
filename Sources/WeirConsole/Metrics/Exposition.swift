import WeirGates

/// Writes metrics in the Prometheus text format, version 0.0.4: one family after the other, HELP and TYPE first,
/// samples next. Source: prometheus.io/docs/instrumenting/exposition_formats.
struct Exposition {
    enum Kind: String { case counter, gauge, histogram }

    private(set) var text = ""

    /// Writes one family. Without samples nothing is written: a HELP without a sample would promise what never comes.
    mutating func family(_ name: StaticString, _ kind: Kind, _ help: StaticString, _ samples: (inout Samples) -> Void) {
        var collected = Samples(name: "\(name)")
        samples(&collected)
        guard !collected.text.isEmpty else { return }
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
        text += collected.text
    }

    /// The samples of one family.
    struct Samples {
        fileprivate let name: String
        fileprivate(set) var text = ""

        typealias Labels = KeyValuePairs<StaticString, String>

        mutating func add(_ value: UInt64, _ labels: Labels = [:]) { line(name, labels, String(value)) }
        mutating func add(_ value: Int64, _ labels: Labels = [:]) { line(name, labels, String(value)) }
        mutating func add(_ value: Int, _ labels: Labels = [:]) { line(name, labels, String(value)) }
        mutating func add(_ value: Double, _ labels: Labels = [:]) { line(name, labels, Self.number(value)) }

        /// The series of one histogram.
        mutating func histogram(_ buckets: LatencyBuckets, _ labels: Labels) {
            let own = Array(labels)
            var running: UInt64 = 0
            for (place, count) in buckets.counts.enumerated() {
                running &+= count
                let bound = place < buckets.bounds.count ? Self.number(buckets.bounds[place]) : "+Inf"
                line(name + "_bucket", own + [("le", bound)], String(running))
            }
            line(name + "_sum", own, Self.number(buckets.sum))
            line(name + "_count", own, String(running))
        }

        private mutating func line(
            _ name: String, _ labels: some Collection<(key: StaticString, value: String)>, _ value: String
        ) {
            text += name
            if !labels.isEmpty {
                text += "{"
                for (place, (key, value)) in labels.enumerated() {
                    text += (place == 0 ? "" : ",") + "\(key)=\"\(Self.escaped(value))\""
                }
                text += "}"
            }
            text += " " + value + "\n"
        }

        private static func number(_ value: Double) -> String {
            if value.isNaN { return "NaN" }
            if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
            return value == value.rounded() && value.magnitude < 1e15 ? String(Int64(value)) : String(value)
        }

        /// The format escapes three characters in a label's value and takes all others as they are.
        static func escaped(_ value: String) -> String {
            var text = ""
            for scalar in value.unicodeScalars {
                switch scalar {
                case "\\": text += "\\\\"
                case "\"": text += "\\\""
                case "\n": text += "\\n"
                default: text.unicodeScalars.append(scalar)
                }
            }
            return text
        }
    }
}
