import Glibc
import Testing
import WeirDirectory
import WeirTestKit
import WeirWorld

/// Servers that are busy, slow, rude or gone.
@Suite("A directory that fails", .enabled(if: Slapd.isHere, "slapd is not installed"))
struct FaultTests {
    private func faulty() async throws -> Slapd {
        var options = Slapd.Options()
        options.retcodes = [
            "retcode-item \"cn=busy\" 51 text=\"try later\" op=modify",
            "retcode-item \"cn=unavail\" 52 op=modify",
            "retcode-item \"cn=slow\" 0 op=modify sleeptime=3",
            "retcode-item \"cn=predis\" 0 flags=pre-disconnect op=modify",
            "retcode-item \"cn=notice\" 52 op=modify unsolicited=1.3.6.1.4.1.1466.20036 flags=post-disconnect",
        ]
        return try await Slapd.started(options, entries: Slapd.people(2))
    }

    private func hasty(_ slapd: Slapd) -> DirectorySettings {
        var settings = slapd.settings
        settings.attempts = 3
        settings.retryFirst = .milliseconds(1)
        settings.retryMost = .milliseconds(5)
        return settings
    }

    private func modify(_ item: String) -> DirectoryRequest {
        .modify(name: "cn=\(item),ou=RetCodes,\(Slapd.suffix)", [.init(.replace, "description", ["x"])])
    }

    @Test(
        "Busy and unavailable: tried again, then handed back as they are", arguments: [("busy", 51), ("unavail", 52)])
    func busy(item: String, code: Int) async throws {
        let slapd = try await faulty()
        let pool = DirectoryPool(hasty(slapd), quietWorld)
        let answer = try await pool.send(modify(item))
        #expect(answer.code.number == code && answer.code.isPassing)
        #expect(pool.counters.value.retries == 2)
        #expect(pool.counters.value.operations[.init(word: "modify", code: "\(code)")] == 3)
        pool.close()
    }

    @Test("Slow: abandoned at its deadline, and the connection goes on")
    func slow() async throws {
        let slapd = try await faulty()
        let connection = try await DirectoryConnection.open(slapd.settings, quietWorld)
        await #expect(throws: DirectoryFailure.timedOut(after: .milliseconds(50))) {
            try await connection.send(modify("slow"), limit: .milliseconds(50))
        }
        #expect(!connection.isOver)
        let read = try await connection.send(.search(.init(base: Slapd.person(0))))
        #expect(read.page.count == 1)
        connection.close()
    }

    @Test("Cancelled: the caller goes on at once, and the connection too")
    func cancelled() async throws {
        let slapd = try await faulty()
        let connection = try await DirectoryConnection.open(slapd.settings, quietWorld)
        let waiting = Task { try await connection.send(modify("slow")) }
        waiting.cancel()
        await #expect(throws: DirectoryFailure.cancelled) { try await waiting.value }
        let read = try await connection.send(.search(.init(base: Slapd.person(0))))
        #expect(read.page.count == 1)
        connection.close()
    }

    @Test("Cut off before the answer, or with a notice: nobody knows, and the next request has a new connection")
    func disconnected() async throws {
        let slapd = try await faulty()
        for item in ["predis", "notice"] {
            let pool = DirectoryPool(hasty(slapd), quietWorld)
            let failure = await #expect(throws: DirectoryFailure.self) { try await pool.send(modify(item)) }
            guard case .lost = failure else {
                #expect(Bool(false), "\(item): \(String(describing: failure))")
                continue
            }
            let read = try await pool.send(.search(.init(base: Slapd.person(0))))
            #expect(read.page.count == 1)
            pool.close()
        }
    }

    @Test("Killed while a batch of many chunks is written, and started again: the group ends as it should be")
    func killed() async throws {
        let slapd = try await Slapd.started(entries: Slapd.group("g", members: [0, 5_000, 5_001]))
        var patient = slapd.settings
        patient.attempts = 40
        patient.retryFirst = .milliseconds(20)
        patient.retryMost = .milliseconds(200)
        let pool = DirectoryPool(patient, quietWorld)
        var settings = MembershipWriter.Settings()
        settings.chunkMost = 20
        let writer = MembershipWriter(pool, settings)
        async let outcome = writer.converge(
            Slapd.group("g"), adds: (1..<2_000).map(Slapd.person), deletes: [5_000, 5_001].map(Slapd.person))
        #expect(await eventually { pool.counters.value.batches[.add] ?? 0 >= 5 })
        slapd.stop(SIGKILL)
        try await slapd.start()
        let result = try await outcome
        #expect(result.refused.isEmpty)
        #expect(try await pool.members(Slapd.group("g")) == (0..<2_000).map(Slapd.person).sorted())
        pool.close()
    }

    @Test("Gone in the middle of a scan: a failure that passes, and never a part that looks whole")
    func goneMidPage() async throws {
        let slapd = try await Slapd.started(entries: Slapd.people(1_000))
        let pool = DirectoryPool(hasty(slapd), quietWorld)
        var seen = 0
        let problem = await #expect(throws: DirectoryScanProblem.self) {
            let result: Result<Void, Never> = try await pool.scan(
                .init(base: Slapd.suffix, scope: .subtree, attributes: ["uid"]), pageSize: 100
            ) { (page) async throws(Never) in
                seen += page.count
                if seen == 300 { slapd.stop(SIGKILL) }
            }
            _ = result
        }
        #expect(seen == 300)
        #expect(problem?.isPassing == true)
        pool.close()
    }

    @Test("A size limit and a referral are failures of the whole scan")
    func limits() async throws {
        var options = Slapd.Options()
        options.global = ["sizelimit 500"]
        let referral = """
            dn: ou=far,\(Slapd.suffix)
            objectClass: referral
            objectClass: extensibleObject
            ou: far
            ref: ldap://far.example.org/ou=far,dc=example,dc=org

            """
        let reader = """
            dn: uid=reader,\(Slapd.suffix)
            objectClass: account
            objectClass: simpleSecurityObject
            uid: reader
            userPassword: secret

            """
        let slapd = try await Slapd.started(options, entries: Slapd.people(700) + referral + "\n" + reader)
        func scan(_ settings: DirectorySettings, _ base: String) async -> String? {
            let pool = DirectoryPool(settings, quietWorld)
            defer { pool.close() }
            do throws(DirectoryScanProblem) {
                let result: Result<Void, Never> = try await pool.scan(
                    .init(base: base, scope: .subtree), pageSize: 100
                ) { (_) async throws(Never) in }
                _ = result
                return nil
            } catch {
                return error.code
            }
        }
        var limited = slapd.settings
        (limited.bindName, limited.password) = ("uid=reader,\(Slapd.suffix)", "secret")
        #expect(await scan(limited, "ou=people,\(Slapd.suffix)") == "size_limit")
        #expect(await scan(slapd.settings, "ou=people,\(Slapd.suffix)") == nil)
        #expect(await scan(slapd.settings, Slapd.suffix) == "referral")
        #expect(await scan(slapd.settings, "ou=nowhere,\(Slapd.suffix)") == "no_such_base")
    }

    @Test("Refused connections and silent servers end in time, with what happened")
    func unreachable() async throws {
        let port = try RefusingPort()
        var settings = DirectorySettings(
            address: DirectoryAddress(isTLS: false, host: "127.0.0.1", port: UInt16(port.port)))
        settings.attempts = 1
        let refused = await #expect(throws: DirectoryFailure.self) {
            try await DirectoryConnection.open(settings, quietWorld)
        }
        #expect(refused?.code == "connect_refused")
        // Listens, and nobody ever accepts.
        let silent = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(silent) }
        let number = try #require(listening(silent))
        for security in [DirectorySettings.Security.none, .startTLS, .tls] {
            var silentSettings = DirectorySettings(
                address: DirectoryAddress(isTLS: security == .tls, host: "127.0.0.1", port: UInt16(number)),
                security: security)
            silentSettings.connectLimit = .milliseconds(300)
            let failure = await #expect(throws: DirectoryFailure.self, "\(security)") {
                try await DirectoryConnection.open(silentSettings, quietWorld)
            }
            #expect(failure?.isPassing == true, "\(security): \(String(describing: failure))")
        }
    }
}
