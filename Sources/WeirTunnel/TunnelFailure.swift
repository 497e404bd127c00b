internal import Glibc

/// What keeps a hub or an agent from doing its work, for the log and for the person who started it.
package struct TunnelFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// For machines: `listen`, `tls_setup`, `enrolment_refused`, …
    package var code: String
    package var message: String
    package var help: String?

    package init(_ code: String, _ message: String, help: String? = nil) {
        self.code = code
        self.message = message
        self.help = help
    }

    init(errno number: CInt, _ what: String) {
        self.init("errno_\(number)", "\(what): \(String(cString: strerror(number))).")
    }

    package var description: String { message + (help.map { " " + $0 } ?? "") }
}
