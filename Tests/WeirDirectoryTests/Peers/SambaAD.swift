import Foundation
import Testing
import WeirDirectory
import WeirTestKit
import WeirWorld

/// A domain controller of Samba's, one for all tests of a run: making its domain takes seconds. Its LDAP port cannot be
/// chosen, so it listens on a loopback address of its own; only root may open that port.
final class SambaAD: Sendable {
    static let isHere =
        PeerProcess.path("samba") != nil && PeerProcess.path("samba-tool") != nil && geteuid() == 0
        && access("/usr/lib/x86_64-linux-gnu/samba/vfs/acl_xattr.so", R_OK) == 0
    static let absence: Comment = "samba is not installed, or this is not root"
    static let suffix = "DC=ad,DC=example,DC=test"
    static let users = "CN=Users,DC=ad,DC=example,DC=test"

    static let shared = Task { try await SambaAD() }

    let address: String
    private let scratch: Scratch
    private let process: PeerProcess

    private init() async throws {
        scratch = try Scratch("samba")
        let number = Int(getpid())
        address = "127.\(100 + number >> 15 & 63).\(number >> 7 & 255).\(number & 127 + 2)"
        let directory = scratch.path + "/t"
        try PeerProcess.run(
            PeerProcess.path("samba-tool") ?? "",
            [
                "domain", "provision", "--targetdir=\(directory)", "--realm=AD.EXAMPLE.TEST", "--domain=ADEX",
                "--server-role=dc", "--dns-backend=NONE", "--adminpass=Passw0rd-1", "--option=interfaces=lo",
                "--option=bind interfaces only=yes", "--option=vfs objects=",
            ])
        process = try PeerProcess(
            PeerProcess.path("samba") ?? "",
            [
                "-i", "-M", "single", "--configfile=\(directory)/etc/smb.conf", "--option=interfaces=\(address)/8",
                "--option=bind interfaces only=yes", "--option=server services=ldap",
                "--option=ldap server require strong auth=no", "--option=tls enabled=no",
                "--option=pid directory=\(scratch.path)", "--option=ncalrpc dir=\(scratch.path)/ncalrpc",
                "--option=ntp signd socket directory=\(scratch.path)/ntp",
                "--option=winbindd socket directory=\(scratch.path)/winbindd",
            ], log: scratch.path + "/log")
        let (host, running) = (address, process)
        let listening = await eventually { isListening(host, 389) || !running.isRunning }
        guard listening, process.isRunning else {
            throw PeerProcess.Failure(description: "samba: \(process.output)")
        }
    }

    var settings: DirectorySettings {
        var settings = DirectorySettings(address: DirectoryAddress(isTLS: false, host: address, port: 389))
        settings.bindName = "CN=Administrator,\(Self.users)"
        settings.password = "Passw0rd-1"
        return settings
    }

    static func user(_ name: String) -> String { "CN=\(name),\(users)" }

    static func pool() async throws -> DirectoryPool { DirectoryPool(try await shared.value.settings, quietWorld) }
}

extension DirectoryPool {
    /// Adds users of AD and answers their names.
    func addUsers(_ names: String...) async throws -> [String] {
        var made: [String] = []
        for name in names {
            let answer = try await send(
                .add(
                    name: SambaAD.user(name),
                    attributes: [DirectoryValues("objectClass", ["user"]), DirectoryValues("sAMAccountName", [name])]))
            guard answer.code == .success else { throw PeerProcess.Failure(description: answer.sentence) }
            made.append(SambaAD.user(name))
        }
        return made
    }

    func addGroup(_ name: String, _ members: [String] = []) async throws -> String {
        var attributes = [DirectoryValues("objectClass", ["group"]), DirectoryValues("sAMAccountName", [name])]
        if !members.isEmpty { attributes.append(DirectoryValues("member", members)) }
        let answer = try await send(.add(name: SambaAD.user(name), attributes: attributes))
        guard answer.code == .success else { throw PeerProcess.Failure(description: answer.sentence) }
        return SambaAD.user(name)
    }

    /// The code that a modify is answered with.
    func code(_ name: String, _ changes: DirectoryModification...) async throws -> Int32 {
        try await send(.modify(name: name, changes)).code.number
    }

    func members(_ group: String, _ attribute: String = "member") async throws -> [String] {
        let answer = try await send(.search(.init(base: group, attributes: [attribute])))
        return answer.page.first?.texts(attribute).sorted() ?? []
    }
}

/// Of a membership that first looks: what is sent without looking, so that the server's codes are met.
func unlooking(_ lastMember: MembershipWriter.LastMember = .fail) -> MembershipWriter.Settings {
    var settings = MembershipWriter.Settings()
    settings.looksFirst = false
    settings.isPermissive = false
    settings.lastMember = lastMember
    return settings
}
