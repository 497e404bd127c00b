import NIOCore
import Testing
import WeirDestinations
import WeirFlow
import WeirGates
import WeirSettings
import WeirWorld

@Suite struct HTTPFamilyTests {
    static let now = WallTime(nanoseconds: 0)

    enum Next: String { case delivered, busy, misconfigured, rejected }

    static func next(_ status: Int, retryAfter: String? = nil) -> Next {
        switch HTTPFamily.failure(status: status, retryAfter: retryAfter, said: "", from: "x", now: now) {
        case nil: .delivered
        case .busy: .busy
        case .misconfigured: .misconfigured
        case .rejected: .rejected
        default: .delivered
        }
    }

    @Test("Every status has its next step")
    func table() {
        for status in 100...199 { #expect(Self.next(status) == .misconfigured) }
        for status in 200...299 { #expect(Self.next(status) == .delivered) }
        for status in 300...399 { #expect(Self.next(status) == .misconfigured) }
        for status in 400...499 {
            let expected: Next =
                [408, 425, 429].contains(status)
                ? .busy : [401, 403, 404, 405, 407].contains(status) ? .misconfigured : .rejected
            #expect(Self.next(status) == expected, "\(status)")
        }
        for status in 500...599 { #expect(Self.next(status) == .busy) }
        for status in [0, 99, 600, 999] { #expect(Self.next(status) == .busy) }
    }

    @Test("Only 429 and 503 may ask for a pause", arguments: [429, 503, 500, 408, 425, 502])
    func pause(status: Int) {
        let failed = HTTPFamily.failure(status: status, retryAfter: "7", said: "", from: "x", now: Self.now)
        guard case .busy(let reason, let pause) = failed else {
            Issue.record("\(status) is not busy")
            return
        }
        #expect(reason.code == "http_\(status)")
        #expect(pause == ([429, 503].contains(status) ? .seconds(7) : nil))
    }

    @Test(
        "URLs that cannot work or would show a password are refused",
        arguments: [
            "ftp://x/", "http://", "http:///x", "http://user:secret@host/", "http://host:0/", "http://host:99999/",
            "http://ho st/",
            "http://host/#part", "http://host/\u{e4}", "http://[::1/", "http://a b/", "http://host:80:80/", "//host/",
            "host", "http://ho\\st/",
        ])
    func badURL(text: String) {
        #expect(throws: HTTPAddress.Mistake.self) { try HTTPAddress(text) }
        do throws(HTTPAddress.Mistake) { _ = try HTTPAddress(text) } catch {
            #expect(!error.complaint.contains("secret"))
        }
    }

    @Test(
        "URLs are understood",
        arguments: [
            ("http://10.0.0.5/in", "http://10.0.0.5/in"), ("HTTPS://Host", "https://Host/"),
            ("http://h:8080?x=1", "http://h:8080/?x=1"),
            ("http://[2001:db8::1]:80/a", "http://[2001:db8::1]:80/a"), ("http://[::1]/", "http://[::1]/"),
        ])
    func goodURL(text: String, expected: String) throws { #expect(try HTTPAddress(text).description == expected) }

    @Test("A query does not show in names")
    func query() throws { #expect(try HTTPAddress("http://h/in?token=secret").name == "http://h/in") }
}
