import WeirGates
import WeirNode
import WeirWorld

/// What is said of a connector, the same on the page and in the terminal; the words are those of OpenCTI's page.
enum ConnectorText {
    static let notProvided = "Not provided"

    static func lastRun(_ status: ConnectorStatus) -> String {
        switch status.lastRun {
        case .at(let time): at(time)
        case .fromState(let time): at(time) + " (from State)"
        case .notProvided: notProvided
        }
    }

    static func nextRun(_ status: ConnectorStatus) -> String {
        switch status.nextRun {
        case .at(let time): at(time)
        case .externalSchedule: "External schedule"
        case .afterThisRun: "After this run"
        case .notProvided: notProvided
        }
    }

    /// `9.90 MB / 8.00 MB`, both in the unit of the threshold's setting.
    static func capacity(_ status: ConnectorStatus) -> String {
        guard let bytes = status.queueBytes else { return "unknown / \(megabytes(status.threshold))" }
        if bytes == 0, status.origin == "opencti", status.lastRun == .notProvided, status.nextRun == .notProvided {
            return notProvided
        }
        return "\(megabytes(bytes)) / \(megabytes(status.threshold))"
    }

    /// `8.00 MB (weir.yaml:3)`, or where it is set in the connector's own process.
    static func threshold(_ status: ConnectorStatus) -> String {
        status.gate.map { "\(megabytes($0.limit.amount)) (\($0.limit.origin))" } ?? megabytes(status.threshold)
    }

    /// Bytes of a state that are shown; it may have 16 MiB.
    static let stateMost = 4_096

    /// The connector's own text, or its begin; pycti says `null` for none.
    static func state(_ text: String?) -> String {
        guard let text, text != "null", !text.isEmpty else { return "none" }
        guard text.utf8.count > stateMost else { return text }
        return String(decoding: text.utf8.prefix(stateMost), as: UTF8.self)
            + " … (\(text.utf8.count) bytes; `weir describe connector NAME -o json` shows all of it)"
    }

    static func buffering(_ status: ConnectorStatus) -> String { status.isBuffering ? "Yes" : "No" }

    /// Why nothing starts, when the queue is at its threshold or over it.
    static func warning(_ status: ConnectorStatus) -> String? {
        guard status.isFull else { return nil }
        return "Runs are put off: what was imported waits for its receivers, and the work queue holds as much as its "
            + "threshold or more. Nothing is lost; a run starts when there is less."
    }

    static func heartbeat(_ status: ConnectorStatus, at now: WallTime) -> String {
        guard status.origin == "opencti" else { return "Weir runs it" }
        guard let ping = status.lastPing else { return "none yet" }
        return "\(Figures.duration(max(0, (now - ping).inSeconds.rounded()))) ago"
    }

    static func progress(_ work: WorkStatus) -> String {
        progress(delivered: work.delivered, total: work.total, failed: work.failed)
    }

    static func progress(delivered: Int, total: Int, failed: Int) -> String {
        "\(delivered) of \(total) bundles delivered" + (failed > 0 ? ", \(failed) failed" : "")
    }

    /// Hundredths of a megabyte, never rounded up to a threshold that is not reached.
    static func megabytes(_ bytes: Int64) -> String {
        let hundredths = bytes / 10_000
        let rest = String(hundredths % 100)
        return "\(hundredths / 100).\(rest.utf8.count < 2 ? "0" : "")\(rest) MB"
    }

    /// `2026-11-21 17:30:05 UTC`.
    static func at(_ time: WallTime) -> String {
        let text = time.description
        return text.prefix(10) + " " + text.dropFirst(11).prefix(8) + " UTC"
    }
}
