import Foundation
import Logging
import WeirDirectory
import WeirTestKit
import WeirWorld

/// OpenLDAP's server with an empty `dc=example,dc=org`, or with what a test puts in.
final class Slapd: Sendable {
    static let isHere = PeerProcess.path("slapd") != nil && PeerProcess.path("slapadd") != nil
    static let suffix = "dc=example,dc=org"
    static let admin = "cn=admin,dc=example,dc=org"

    let port: Int
    let tlsPort: Int
    private let scratch: Scratch
    private let configuration: String
    private let process: Mutexed<PeerProcess?>

    struct Options {
        var global: [String] = []
        /// Behind the database: overlays, limits.
        var database: [String] = []
        var retcodes: [String] = []
        var isDurable = true
        var hasTLS = false
        var hasMemberOf = false
    }

    /// - Parameter entries: LDIF, put in before the start.
    init(_ options: Options = Options(), entries: String = "") throws {
        scratch = try Scratch("slapd")
        let directory = scratch.path
        try FileManager.default.createDirectory(atPath: directory + "/data", withIntermediateDirectories: true)
        var lines = [
            "include /etc/ldap/schema/core.schema", "include /etc/ldap/schema/cosine.schema",
            "include /etc/ldap/schema/inetorgperson.schema", "include /etc/ldap/schema/nis.schema",
            "pidfile \(directory)/pid", "argsfile \(directory)/args", "modulepath /usr/lib/ldap",
            "moduleload back_mdb", "moduleload memberof", "moduleload retcode", "moduleload constraint",
            "moduleload syncprov", "access to * by * write",
        ]
        if options.hasTLS {
            try PeerProcess.run(
                "/usr/bin/openssl",
                [
                    "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:ldap.example.test,IP:127.0.0.1", "-keyout", "\(directory)/key.pem", "-out",
                    "\(directory)/cert.pem",
                ])
            lines += [
                "TLSCertificateFile \(directory)/cert.pem", "TLSCertificateKeyFile \(directory)/key.pem",
                "TLSCACertificateFile \(directory)/cert.pem",
            ]
        }
        lines += options.global
        lines += [
            "database mdb", "suffix \(Self.suffix)", "rootdn \(Self.admin)", "rootpw admin",
            "directory \(directory)/data", "maxsize 1073741824",
            "index objectClass,uid,member,entryUUID,entryCSN,modifyTimestamp eq",
        ]
        if !options.isDurable { lines.append("dbnosync") }
        if options.hasMemberOf { lines.append("overlay memberof") }
        if !options.retcodes.isEmpty {
            lines += ["overlay retcode", "retcode-parent ou=RetCodes,\(Self.suffix)"] + options.retcodes
        }
        lines += options.database
        configuration = try scratch.write("slapd.conf", lines.joined(separator: "\n") + "\n")
        let base = """
            dn: \(Self.suffix)
            objectClass: dcObject
            objectClass: organization
            o: Example
            dc: example

            dn: ou=people,\(Self.suffix)
            objectClass: organizationalUnit
            ou: people

            dn: ou=groups,\(Self.suffix)
            objectClass: organizationalUnit
            ou: groups

            """
        let ldif = try scratch.write("base.ldif", base + "\n" + entries)
        try PeerProcess.run(PeerProcess.path("slapadd") ?? "", ["-q", "-f", configuration, "-l", ldif])
        (port, tlsPort) = (freePort(), options.hasTLS ? freePort() : 0)
        process = Mutexed(nil)
    }

    deinit { stop(SIGKILL) }

    var certificate: String { scratch.path + "/cert.pem" }

    /// Starts it and waits until it listens.
    func start() async throws {
        var addresses = "ldap://127.0.0.1:\(port)/"
        if tlsPort > 0 { addresses += " ldaps://127.0.0.1:\(tlsPort)/" }
        let started = try PeerProcess(
            PeerProcess.path("slapd") ?? "", ["-f", configuration, "-h", addresses, "-d", "0"],
            log: scratch.path + "/log")
        process.set(started)
        let listening = await eventually { isListening("127.0.0.1", self.port) || !started.isRunning }
        guard listening, started.isRunning else { throw PeerProcess.Failure(description: "slapd: \(started.output)") }
    }

    func signal(_ signal: Int32) { process.get()?.signal(signal) }

    func stop(_ signal: Int32 = SIGKILL) {
        process.get()?.end(signal)
        process.set(nil)
    }

    /// Settings of the administrator's.
    var settings: DirectorySettings {
        var settings = DirectorySettings(
            address: DirectoryAddress(isTLS: false, host: "127.0.0.1", port: UInt16(port)))
        settings.bindName = Self.admin
        settings.password = "admin"
        return settings
    }

    static func started(_ options: Options = Options(), entries: String = "") async throws -> Slapd {
        let slapd = try Slapd(options, entries: entries)
        try await slapd.start()
        return slapd
    }

    static func people(_ count: Int, from first: Int = 0) -> String {
        (first..<first + count).map { number in
            """
            dn: uid=u\(number),ou=people,\(suffix)
            objectClass: inetOrgPerson
            uid: u\(number)
            cn: User \(number)
            sn: \(number)
            mail: u\(number)@example.org
            employeeNumber: \(number)

            """
        }.joined(separator: "\n") + "\n"
    }

    static func person(_ number: Int) -> String { "uid=u\(number),ou=people,\(suffix)" }

    static func group(_ name: String, members: some Sequence<Int>) -> String {
        "dn: \(group(name))\nobjectClass: groupOfNames\ncn: \(name)\n"
            + members.map { "member: \(person($0))\n" }.joined() + "\n"
    }

    static func group(_ name: String) -> String { "cn=\(name),ou=groups,\(suffix)" }
}

/// A world that says nothing.
var quietWorld: World { World.live(log: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }) }
