package ssh

// sftp serves the subsystem of that name.
func (s *sessionChannel) sftp() {
	s.refuseSubsystem("sftp")
	s.fail("dragoman: sftp is not served", statusRefused)
}
